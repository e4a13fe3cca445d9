"""Inverted attention routing with learned layer normalisation."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import RouteFn
from capsjax.layers.routings.binding import bind, pose_of


class InvertedAttentionRouting(nn.Module):
  """`ops.inverted_attention_routing`, with a learned scale and bias.

  Layers in sequence route sequentially. For concurrent routing, call the
  function itself with `initial_poses`.

  Attributes:
    num_iterations: the number of iterations, the one with uniform couplings
      included; 2 is the authors' 1.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.InvertedAttentionRouting(),
    ... )
    >>> params = layer.init(jax.random.key(1), inputs)['params']
    >>> jax.tree.map(jnp.shape, params['routing'])
    {'bias': (4,), 'scale': (4,)}
  """

  num_iterations: int = 2
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    pose, init = pose_of(inputs, votes), nn.initializers
    return bind(
      functools.partial(
        ops.inverted_attention_routing,
        num_iterations=self.num_iterations,
        scale=self.param('scale', init.ones, pose, self.param_dtype),
        bias=self.param('bias', init.zeros, pose, self.param_dtype),
      )
    )
