"""No routing, as a part of a layer with poses and activations."""

import functools
from collections.abc import Callable

import jax
from flax import linen as nn
from jaxtyping import Array

from capsjax import ops
from capsjax.layers.routed import RouteFn


class NoRouting(nn.Module):
  """`ops.no_routing`: the votes are added up.

  Attributes:
    pose_fn: maps the sums to poses.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(3, (4,)),
    ...   routing=layers.NoRouting(),
    ... )
    >>> capsules, _ = layer.init_with_output(jax.random.key(1), inputs)
    >>> capsules.poses.shape, capsules.activations.shape
    ((2, 3, 4), (2, 3))
  """

  pose_fn: Callable[[Array], Array] = lambda sums: sums

  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes, as `layers.Routing` describes."""
    del inputs, votes
    add_up = functools.partial(ops.no_routing, pose_fn=self.pose_fn)

    def route(inputs, votes, *, normalize, return_couplings):
      del normalize  # Parents do not compete.
      return add_up(
        votes, inputs.activations, return_couplings=return_couplings
      )

    return route
