"""Dynamic routing as a part of a layer with poses and activations."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import bind, pair_of, pose_of


class AgreementRouting(nn.Module):
  """`ops.agreement_routing`, for comparison with other routings.

  For fully connected capsules with vectors as poses, `DenseCapsules` does the
  same much faster.

  Attributes:
    num_iterations: the number of iterations.
    stop_gradient: whether to treat the couplings as constants.
    use_bias: whether to add a learned bias before each squash.
    learn_log_priors: whether to learn the initial routing logits.
    squash_fn: shrinks the weighted sum of the votes.
    bias_init: initialises the bias.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.AgreementRouting(use_bias=True),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'bias': (3, 4)}
  """

  num_iterations: int = 3
  stop_gradient: bool = False
  use_bias: bool = False
  learn_log_priors: bool = False
  squash_fn: ops.SquashFn = ops.squash
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    pair, bias, log_priors = pair_of(inputs, votes), None, None
    if self.use_bias:
      shape = pair[1], *pose_of(inputs, votes)
      bias = self.param('bias', self.bias_init, shape, self.param_dtype)
    if self.learn_log_priors:
      zeros = nn.initializers.zeros
      log_priors = self.param('log_priors', zeros, pair, self.param_dtype)
    return bind(
      functools.partial(
        ops.agreement_routing,
        num_iterations=self.num_iterations,
        stop_gradient=self.stop_gradient,
        bias=bias,
        log_priors=log_priors,
        squash_fn=self.squash_fn,
      )
    )
