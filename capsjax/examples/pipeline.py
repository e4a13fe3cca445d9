"""The batches of a run: what is drawn for a step depends on its number only."""

from collections.abc import Callable

import jax
from jaxtyping import Array, Key

from capsjax.examples.batch import Batch
from capsjax.examples.single import Examples

# Called as make_batch(data, indices, step, positions).
MakeBatch = Callable[..., Batch]


def create_make_batch(
  examples: Examples, *, augmentation_key: Key[Array, '']
) -> MakeBatch:
  """Makes the function that assembles and augments training batches.

  Args:
    examples: how an example is made.
    augmentation_key: the run's key for augmentation.

  Returns:
    `make_batch(data, indices, step, positions)`. What is drawn for an example
    depends on the step and on its position in the whole batch, and so not on
    how many devices share the batch.
  """

  def make_batch(data, indices, step, positions):
    step_key = jax.random.fold_in(augmentation_key, step)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(step_key, positions)
    return examples.training_batch(data, indices, keys)

  return make_batch
