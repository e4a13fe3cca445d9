"""Self-routing with learned logits."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import pair_of


class SelfRouting(nn.Module):
  """`ops.self_routing`, whose logits are a linear function of a child's pose.

  Attributes:
    kernel_init: initialises the weights, of shape `[in_caps, out_caps, dim]`;
      zeros, as in the authors' code, start with uniform couplings.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.SelfRouting(),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'bias': (6, 3), 'kernel': (6, 3, 8)}
  """

  kernel_init: nn.initializers.Initializer = nn.initializers.zeros
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    pair, zeros = pair_of(inputs, votes), nn.initializers.zeros
    dim = math.prod(inputs.poses.shape[len(inputs.activations.shape) :])
    kernel = self.param(
      'kernel', self.kernel_init, (*pair, dim), self.param_dtype
    )
    bias = self.param('bias', zeros, pair, self.param_dtype)

    def route(inputs, votes, *, normalize, return_couplings):
      poses = inputs.poses.reshape(*inputs.activations.shape, dim)
      logits = jnp.einsum('...id,ijd->...ij', poses, kernel.astype(poses.dtype))
      logits += jnp.broadcast_to(bias.astype(poses.dtype), logits.shape)
      return ops.self_routing(
        votes,
        inputs.activations,
        routing_logits=logits,
        normalize=normalize,
        return_couplings=return_couplings,
      )

    return route
