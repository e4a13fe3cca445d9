"""Convolutional capsules, and capsules above a whole grid of them."""

import functools
import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from capsjax import ops
from capsjax.layers.routed import (
  CapsuleNorm,
  Routing,
  normalized,
  route_capsules,
)
from capsjax.layers.votes import Votes


class ConvCapsules(nn.Module):
  """Capsules at each position of a grid, above a receptive field of capsules.

  The parameters of votes and routing are shared by all positions; no padding.

  Attributes:
    votes: computes the votes, such as `MatrixVotes`.
    routing: routes them, such as `EMRouting`.
    kernel_size: height and width of a receptive field.
    strides: the steps between receptive fields.
    competes_everywhere: whether all parents that see a child compete for it;
      otherwise, only those at the same position do.
    norm: normalises the output capsules; None for nothing.
    most_bytes: as in `RoutedCapsules`.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> grid = 2, 5, 5, 3  # batch, height, width, types
    >>> inputs = ops.Capsules(jnp.ones((*grid, 4, 4)), jnp.ones(grid))
    >>> layer = layers.ConvCapsules(
    ...   votes=layers.MatrixVotes(num_capsules=2), routing=layers.EMRouting()
    ... )
    >>> capsules, _ = layer.init_with_output(jax.random.key(0), inputs)
    >>> capsules.poses.shape  # 3x3 of the 5x5 positions
    (2, 3, 3, 2, 4, 4)
  """

  votes: Votes
  routing: Routing
  kernel_size: tuple[int, int] = (3, 3)
  strides: tuple[int, int] = (1, 1)
  competes_everywhere: bool = True
  norm: CapsuleNorm | None = None
  most_bytes: int = 2**27

  @nn.compact
  def __call__(
    self,
    inputs: ops.Capsules,
    *,
    train: bool = False,
    axis_name: str | None = None,
  ) -> ops.Capsules:
    """Maps a grid of capsules to a smaller one.

    Args:
      inputs: poses `[*batch, height, width, types, *pose]`, and activations.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.

    Raises:
      ValueError: if a receptive field is larger than the grid.
    """
    vote = self.votes(jax.eval_shape(self._fields, inputs))

    def see(block):
      seen = self._fields(block)
      return seen, vote(seen)

    fields = ops.OverReceptiveFields(self.kernel_size, self.strides)
    capsules = route_capsules(
      self,
      inputs,
      see,
      num_axes=3,
      normalize=fields if self.competes_everywhere else ops.over_parents,
    )
    return normalized(self, capsules, train=train, axis_name=axis_name)

  @nn.nowrap
  def _fields(self, inputs):
    """Returns the capsules that each position sees, as one axis."""
    cut = functools.partial(
      ops.receptive_fields, kernel_size=self.kernel_size, strides=self.strides
    )
    rank = inputs.activations.ndim
    activations = cut(inputs.activations, num_axes=1)
    poses = cut(inputs.poses, num_axes=inputs.poses.ndim - rank + 1)
    axes = activations.shape[: rank - 1]
    seen = math.prod(activations.shape[rank - 1 :])
    return ops.Capsules(
      poses.reshape(*axes, seen, *inputs.poses.shape[rank:]),
      activations.reshape(*axes, seen),
    )


class GridCapsules(nn.Module):
  """Capsules above a whole grid, such as class capsules.

  A child's votes depend on its type and not on its position, which is added to
  two components of each vote instead.

  Attributes:
    votes: computes the votes, such as `MatrixVotes`.
    routing: routes them, such as `EMRouting`.
    coordinates: the two components, of the flattened pose, to which the row and
      the column are added, as shares of the grid in (0, 1); None for nothing.
      The default is the right-hand column of a 4x4 pose.
    coordinate_scale: multiplies the shares.
    norm: normalises the output capsules; None for nothing.
    most_bytes: as in `RoutedCapsules`.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> grid = 2, 5, 5, 3  # batch, height, width, types
    >>> inputs = ops.Capsules(jnp.ones((*grid, 4, 4)), jnp.ones(grid))
    >>> layer = layers.GridCapsules(
    ...   votes=layers.MatrixVotes(num_capsules=7), routing=layers.EMRouting()
    ... )
    >>> capsules, _ = layer.init_with_output(jax.random.key(0), inputs)
    >>> capsules.poses.shape, capsules.activations.shape
    ((2, 7, 4, 4), (2, 7))

  References:
    Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", 2018:
    "coordinate addition".
  """

  votes: Votes
  routing: Routing
  coordinates: tuple[int, int] | None = (3, 7)
  coordinate_scale: float = 1.0
  norm: CapsuleNorm | None = None
  most_bytes: int = 2**27

  @nn.compact
  def __call__(
    self,
    inputs: ops.Capsules,
    *,
    train: bool = False,
    axis_name: str | None = None,
  ) -> ops.Capsules:
    """Maps a grid of capsules to capsules without a position.

    Args:
      inputs: poses `[*batch, height, width, types, *pose]`, and activations.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.

    Returns:
      Poses `[*batch, num_capsules, *pose]`, and activations.
    """
    vote = self.votes(inputs)

    def see(block):
      return self._without_positions(block, self._located(vote(block), block))

    capsules = route_capsules(self, inputs, see, num_axes=3)
    return normalized(self, capsules, train=train, axis_name=axis_name)

  @nn.nowrap
  def _located(self, votes, inputs):
    """Adds the position of each child to its votes."""
    if self.coordinates is None:
      return votes
    rank = inputs.activations.ndim
    dim = math.prod(votes.shape[rank + 1 :])
    along = [
      jnp.outer(
        self.coordinate_scale
        * (jnp.arange(size, dtype=jnp.float32) + 0.5)
        / size,
        jax.nn.one_hot(component, dim),
      )
      for size, component in zip(
        inputs.activations.shape[-3:-1], self.coordinates, strict=True
      )
    ]
    added = along[0][:, None] + along[1][None]
    flat = votes.reshape(*votes.shape[: rank + 1], dim)
    added = added[:, :, None, None].astype(votes.dtype)
    return (flat + jnp.broadcast_to(added, flat.shape)).reshape(votes.shape)

  @nn.nowrap
  def _without_positions(self, inputs, votes):
    """Makes one axis of the positions and the types."""
    *batch, height, width, types = inputs.activations.shape
    axes, rank = (*batch, height * width * types), inputs.activations.ndim
    capsules = jax.tree.map(lambda a: a.reshape(*axes, *a.shape[rank:]), inputs)
    return capsules, votes.reshape(*axes, *votes.shape[rank:])
