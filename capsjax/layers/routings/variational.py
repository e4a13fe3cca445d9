"""Variational Bayes routing with learned offsets of the evidence."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import bind, pair_of


class VariationalRouting(nn.Module):
  """`ops.variational_routing`, with learned offsets.

  The authors normalise the evidence over the batch: use `CapsuleBatchNorm` as
  the layer's `norm`, and the identity as `activation_fn` here.

  Attributes:
    num_iterations: the number of iterations.
    concentration: of the Dirichlet prior.
    mean_precision: of the means' prior.
    full_covariance: whether covariances are full.
    activation_fn: maps the evidence to activations.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.VariationalRouting(),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'beta_a': (3,), 'beta_u': (3,)}
  """

  num_iterations: int = 3
  concentration: float = 1.0
  mean_precision: float = 1.0
  full_covariance: bool = False
  activation_fn: Callable[[Array], Array] = nn.sigmoid
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    shape, zeros = pair_of(inputs, votes)[1:], nn.initializers.zeros
    return bind(
      functools.partial(
        ops.variational_routing,
        beta_u=self.param('beta_u', zeros, shape, self.param_dtype),
        beta_a=self.param('beta_a', zeros, shape, self.param_dtype),
        num_iterations=self.num_iterations,
        concentration=self.concentration,
        mean_precision=self.mean_precision,
        full_covariance=self.full_covariance,
        activation_fn=self.activation_fn,
      )
    )
