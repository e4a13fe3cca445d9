"""EM routing with learned costs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import bind, pair_of


class EMRouting(nn.Module):
  """`ops.em_routing`, with learned costs.

  The cost in the official code is twice the paper's, and its learned parts are
  scaled. It is had with `inverse_temperature=0.02`, `beta_u_scale=(log(2 * pi)
  + 1) / 2`, `beta_a_scale=-2500`, `mean_damping=0.1` and
  `initial_normalize=ops.over_parents`; in the class capsules with a quarter of
  that temperature. beta_u and beta_a start at 0.5 in convolutional capsules,
  and at 2 and 1 in class capsules.

  Attributes:
    num_iterations: the number of iterations.
    inverse_temperature: lambda after many iterations.
    variance_floor: added to each variance.
    mean_damping: the weight of the previous iteration's mean.
    initial_normalize: as in `ops.em_routing`.
    beta_u_scale: multiplies the learned beta_u.
    beta_a_scale: multiplies the learned beta_a, so that Adam can move it far
      enough.
    beta_u_init: initialises beta_u, of shape `[out_caps]`.
    beta_a_init: initialises beta_a, of shape `[out_caps]`.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.EMRouting(),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'beta_a': (3,), 'beta_u': (3,)}
  """

  num_iterations: int = 3
  inverse_temperature: float = 0.01
  variance_floor: float = 5e-4
  mean_damping: float = 0.0
  initial_normalize: ops.NormalizeFn | None = None
  beta_u_scale: float = 1.0
  beta_a_scale: float = 1.0
  beta_u_init: nn.initializers.Initializer = nn.initializers.zeros
  beta_a_init: nn.initializers.Initializer = nn.initializers.zeros
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    shape = pair_of(inputs, votes)[1:]
    beta_u = self.param('beta_u', self.beta_u_init, shape, self.param_dtype)
    beta_a = self.param('beta_a', self.beta_a_init, shape, self.param_dtype)
    return bind(
      functools.partial(
        ops.em_routing,
        beta_u=self.beta_u_scale * beta_u,
        beta_a=self.beta_a_scale * beta_a,
        num_iterations=self.num_iterations,
        inverse_temperature=self.inverse_temperature,
        variance_floor=self.variance_floor,
        mean_damping=self.mean_damping,
        initial_normalize=self.initial_normalize,
      )
    )
