"""A fully connected layer of capsules with poses and activations."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers.blocks import in_blocks
from capsjax.layers.votes import Votes


@runtime_checkable
class RouteFn(Protocol):
  """A function that routes votes; a `Routing` returns it."""

  def __call__(
    self,
    inputs: ops.Capsules,
    votes: Float[Array, '...'],
    *,
    normalize: ops.NormalizeFn,
    return_couplings: bool,
  ) -> ops.Routed:
    """Computes the capsules of the layer above, each example by itself.

    Args:
      inputs: the capsules that vote.
      votes: `[*batch, in_caps, out_caps, *pose]`.
      normalize: what the couplings of a child are normalised over.
      return_couplings: whether to return the couplings too.
    """


@runtime_checkable
class Routing(Protocol):
  """A module that holds the parameters of a routing."""

  def __call__(
    self, inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
  ) -> RouteFn:
    """Returns the function that routes such votes.

    Args:
      inputs: the capsules that vote, of which only shapes and dtypes matter.
      votes: the shape and dtype of the votes.
    """


@runtime_checkable
class CapsuleNorm(Protocol):
  """A module that normalises capsules, such as `CapsuleBatchNorm`."""

  def __call__(
    self, capsules: ops.Capsules, *, train: bool, axis_name: str | None
  ) -> ops.Capsules:
    """Returns the normalised capsules.

    Args:
      capsules: what a layer computed.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.
    """


class RoutedCapsules(nn.Module):
  """A fully connected capsule layer: votes, then routing.

  To read the couplings of every iteration, apply the model with
  `mutable=['intermediates']` and look for `couplings`.

  Attributes:
    votes: computes the votes, such as `FullVotes`; its fields give the number
      of output capsules and the shape of their poses.
    routing: routes the votes, such as `SelfAttentionRouting`.
    norm: normalises the output capsules; None for nothing.
    most_bytes: the memory in bytes that votes may take at a time; a larger
      batch is routed in blocks.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> layer = layers.RoutedCapsules(
    ...   votes=layers.FullVotes(num_capsules=3, pose_shape=(4,)),
    ...   routing=layers.SelfAttentionRouting(),
    ... )
    >>> variables = layer.init(jax.random.key(1), inputs)
    >>> capsules, read = layer.apply(
    ...   variables, inputs, mutable=['intermediates']
    ... )
    >>> capsules.poses.shape, capsules.activations.shape
    ((2, 3, 4), (2, 3))
    >>> (couplings,) = read['intermediates']['couplings']
    >>> couplings.shape  # [iteration, batch, in, out]
    (1, 2, 6, 3)
  """

  votes: Votes
  routing: Routing
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
    """Maps capsules to capsules.

    Args:
      inputs: poses `[*batch, in_caps, *pose]`, activations `[*batch, in_caps]`.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.
    """
    vote = self.votes(inputs)
    capsules = route_capsules(
      self, inputs, lambda seen: (seen, vote(seen)), num_axes=1
    )
    return normalized(self, capsules, train=train, axis_name=axis_name)


def route_capsules(
  layer: Any,
  inputs: ops.Capsules,
  see: Callable[[ops.Capsules], tuple[ops.Capsules, Float[Array, '...']]],
  *,
  num_axes: int,
  normalize: ops.NormalizeFn = ops.over_parents,
) -> ops.Capsules:
  """Routes in blocks, and sows the couplings if they are read.

  Args:
    layer: the layer, with fields as in `RoutedCapsules`.
    inputs: its inputs.
    see: maps the inputs to the capsules that vote, and to their votes.
    num_axes: the number of axes of one example's activations.
    normalize: what the couplings of a child are normalised over.
  """
  seen, votes = jax.eval_shape(see, inputs)
  route = layer.routing(seen, votes)
  is_read = layer.is_mutable_collection('intermediates')

  def compute(block):
    seen, votes = see(block)
    return route(seen, votes, normalize=normalize, return_couplings=is_read)

  result = in_blocks(
    compute,
    inputs,
    num_axes=num_axes,
    votes=votes,
    most_bytes=layer.most_bytes,
  )
  if isinstance(result, ops.Capsules):
    return result
  capsules, couplings = result
  layer.sow('intermediates', 'couplings', couplings)
  return capsules


def normalized(
  layer: Any, capsules: ops.Capsules, *, train: bool, axis_name: str | None
) -> ops.Capsules:
  """Applies the layer's `norm`, if it has one."""
  if layer.norm is None:
    return capsules
  return layer.norm(capsules, train=train, axis_name=axis_name)
