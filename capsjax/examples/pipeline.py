"""Training batches, whose randomness depends only on the step number."""

from typing import Protocol, runtime_checkable

import jax
from jaxtyping import Array, Int32, Key

from capsjax.examples.batch import Batch
from capsjax.examples.single import DeviceData, Examples


@runtime_checkable
class MakeBatch(Protocol):
  """A function that makes training batches; see `create_make_batch`."""

  def __call__(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    step: Int32[Array, ''],
    positions: Int32[Array, ' batch'],
  ) -> Batch:
    """Assembles and augments the examples of a step.

    Args:
      data: the training set.
      indices: the indices of the images.
      step: the step number.
      positions: the positions of the examples in the whole batch.
    """


def create_make_batch(
  examples: Examples, *, augmentation_key: Key[Array, '']
) -> MakeBatch:
  """Creates the function that assembles and augments training batches.

  Args:
    examples: makes the examples.
    augmentation_key: the run's key for augmentation.

  Returns:
    The function. The randomness of an example depends on the step and on its
    position in the whole batch, not on how many devices share the batch.
  """

  def make_batch(data, indices, step, positions):
    step_key = jax.random.fold_in(augmentation_key, step)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(step_key, positions)
    return examples.training_batch(data, indices, keys)

  return make_batch
