"""The order in which an epoch visits the examples."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int32, Key


def epoch_permutation(
  key: Key[Array, ''], epoch: int | Int32[Array, ''], size: int
) -> Int32[Array, ' size']:
  """Returns the order in which an epoch visits the examples.

  It depends only on `key` and `epoch`, so a run that resumes in the middle of
  an epoch continues in the same order.

  Args:
    key: the run's key for the order, the same in every epoch.
    epoch: counts from 0; may be traced.
    size: the number of examples; static.

  Returns:
    A permutation of 0 to size - 1, int32.
  """
  key = jax.random.fold_in(key, epoch)
  return jax.random.permutation(key, jnp.arange(size, dtype=jnp.int32))
