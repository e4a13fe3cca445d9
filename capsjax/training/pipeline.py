"""From indices to a batch, on the device: gather, scale, shift."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key, UInt8

from capsjax.data.augment import random_shift, scale_images
from capsjax.data.batch import Batch


class DeviceData(NamedTuple):
  """The training set, which goes into the device's memory whole."""

  images: UInt8[Array | np.ndarray, 'size height width channels']
  labels: Int32[Array | np.ndarray, ' size']


# Called as make_batch(data, indices, step, positions).
MakeBatch = Callable[..., Batch]


def create_make_batch(
  *, num_classes: int, max_shift: int, augmentation_key: Key[Array, '']
) -> MakeBatch:
  """Makes the function that assembles and augments training batches.

  Args:
    num_classes: the number of classes.
    max_shift: images are shifted by up to so many pixels in each direction.
    augmentation_key: the run's key for augmentation.

  Returns:
    `make_batch(data, indices, step, positions)`. An example's shift depends on
    the step and on its position in the whole batch, and so not on how many
    devices share the batch.
  """

  def make_batch(data, indices, step, positions):
    images = data.images[indices]
    if max_shift:
      step_key = jax.random.fold_in(augmentation_key, step)
      keys = jax.vmap(jax.random.fold_in, (None, 0))(step_key, positions)
      shift = jax.vmap(lambda k, x: random_shift(k, x, max_shift=max_shift))
      images = shift(keys, images)
    targets = jax.nn.one_hot(
      data.labels[indices], num_classes, dtype=jnp.float32
    )
    return Batch(
      scale_images(images), targets, jnp.ones(len(indices), jnp.float32)
    )

  return make_batch
