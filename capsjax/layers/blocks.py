"""Routes one block of a batch after another, to hold few votes at a time."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from capsjax import ops


def in_blocks(
  function: Callable[[ops.Capsules], ops.Routed],
  inputs: ops.Capsules,
  *,
  num_axes: int,
  votes: jax.ShapeDtypeStruct,
  most_bytes: int,
) -> ops.Routed:
  """Applies a function of a batch to blocks of it.

  The backward pass computes each block's votes again, so that it does not hold
  those of the others either.

  Args:
    function: maps capsules to capsules and, perhaps, couplings; each example
      by itself.
    inputs: the capsules.
    num_axes: the number of axes of one example's activations; all before are
      batch axes.
    votes: shape and dtype of the votes of the whole batch.
    most_bytes: the memory that the votes of a block may take, though a block
      has at least one example.

  Returns:
    What the function returns for all inputs at once.
  """
  shape = inputs.activations.shape
  batch = shape[: len(shape) - num_axes]
  # A batch of unknown size, in an exported program, is not split.
  if not all(isinstance(size, int) for size in batch):
    return function(inputs)
  count, vote_bytes = math.prod(batch), math.prod(votes.shape)
  vote_bytes *= votes.dtype.itemsize
  if vote_bytes <= most_bytes or count < 2:
    return function(inputs)
  flat = jax.tree.map(
    lambda a: a.reshape(count, *a.shape[len(batch) :]), inputs
  )
  block = max(1, most_bytes * count // vote_bytes)
  results = jax.lax.map(jax.checkpoint(function), flat, batch_size=block)

  def with_axes(array):
    return array.reshape(*batch, *array.shape[1:])

  if isinstance(results, ops.Capsules):
    return jax.tree.map(with_axes, results)
  capsules, couplings = results
  couplings = jnp.moveaxis(with_axes(couplings), len(batch), 0)
  return jax.tree.map(with_axes, capsules), couplings
