"""Self-attention routing with learned priors."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import bind, pair_of


class SelfAttentionRouting(nn.Module):
  """`ops.self_attention_routing`, with learned priors.

  Attributes:
    use_priors: whether a learned number, 0 at first, is added to the coupling
      of each pair of capsules.
    squash_fn: shrinks the weighted sum of the votes.
    param_dtype: the dtype of the priors.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.SelfAttentionRouting(),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'priors': (6, 3)}
  """

  use_priors: bool = True
  squash_fn: ops.SquashFn = ops.exponential_squash
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    priors = None
    if self.use_priors:
      shape, zeros = pair_of(inputs, votes), nn.initializers.zeros
      priors = self.param('priors', zeros, shape, self.param_dtype)
    return bind(
      functools.partial(
        ops.self_attention_routing, priors=priors, squash_fn=self.squash_fn
      )
    )
