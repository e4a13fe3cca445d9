"""Two overlaid images of different classes (MultiMNIST)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key

from capsjax.examples.augment import random_shift
from capsjax.examples.batch import Batch, Objects
from capsjax.examples.single import (
  DeviceData,
  Examples,
  SingleExamples,
)


@dataclasses.dataclass(frozen=True)
class PairExamples(Examples):
  """Makes examples that are the sum of two shifted images (section 6).

  The sum is clipped at 1. Pairs are composed on the device and never stored. In
  training, every epoch pairs each image with a newly drawn image of another
  class. Each test pair has its own key, so the same seed gives the same pairs.

  Attributes:
    singles: prepares each of the two images.
    padding: black pixels to add on each side: 4 in the paper.
    max_shift: the largest shift of an image on the padded canvas, in pixels
      along each axis: 4 in the paper, 6 in its code, which can clip digits.
    test_pairs: the number of pairs that start with each test image: 1,000 in
      the paper.
    test_seed: seeds the draw of the test pairs.
  """

  singles: SingleExamples
  padding: int = 4
  max_shift: int = 4
  test_pairs: int = 1
  test_seed: int = 0
  num_objects = 2

  @property
  def num_classes(self) -> int:  # type: ignore[override]
    """The number of classes; labels are 0 to num_classes - 1."""
    return self.singles.num_classes

  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns height, width and channels of the canvas."""
    height, width, channels = self.singles.image_shape(shape)
    return (height + 2 * self.padding, width + 2 * self.padding, channels)

  def arrange(self, data: DeviceData) -> DeviceData:
    """Sorts a split by class, so that each class is one range."""
    order = np.argsort(data.labels, kind='stable')
    return DeviceData(data.images[order], data.labels[order])

  def test_size(self, size: int) -> int:
    """Returns the number of test pairs."""
    return size * self.test_pairs

  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """Makes pairs that start with the images at these indices."""
    keys = jax.vmap(lambda key: jax.random.split(key, 5))(keys)
    pairs = self._pairs(data, indices, keys[:, 0])

    def batch_of(position):
      return self.singles.training_batch(
        data, pairs[position], keys[:, 3 + position]
      )

    return self._compose(batch_of(0), batch_of(1), keys[:, 1:3])

  def test_batch(
    self, data: DeviceData, indices: Int32[Array, ' batch']
  ) -> Batch:
    """Makes the test pairs at these indices."""
    order_key, pair_key = jax.random.split(jax.random.key(self.test_seed))
    # The data are sorted by class; the first pairs should not be.
    order = jax.random.permutation(order_key, len(data.labels))
    begins = order.astype(jnp.int32)[indices % len(data.labels)]
    keys = jax.vmap(
      lambda i: jax.random.split(jax.random.fold_in(pair_key, i), 3)
    )(indices)
    pairs = self._pairs(data, begins, keys[:, 0])
    first, second = (self.singles.test_batch(data, part) for part in pairs)
    return self._compose(first, second, keys[:, 1:])

  def _pairs(self, data, indices, keys):
    """Pairs each image with one drawn from all other classes."""
    size = len(data.labels)
    labels = data.labels[indices]
    start = jnp.searchsorted(data.labels, labels, side='left')
    end = jnp.searchsorted(data.labels, labels, side='right')
    draw = jax.vmap(lambda key, n: jax.random.randint(key, (), 0, n, jnp.int32))
    # The other classes follow this one, wrapping around the end of the set.
    return indices, (end + draw(keys, size - (end - start))) % size

  def _compose(self, first, second, keys):
    """Shifts and overlays images."""
    margin = (self.padding, self.padding)

    def place(key, image):
      canvas = jnp.pad(image, (margin, margin, (0, 0)))
      return random_shift(key, canvas, max_shift=self.max_shift)

    place = jax.vmap(place)
    images = jnp.stack(
      [place(keys[:, 0], first.images), place(keys[:, 1], second.images)], 1
    )
    targets = jnp.stack([first.targets, second.targets], 1)
    # The decoder's reconstructions are in class order.
    order = jnp.argsort(jnp.argmax(targets, -1), -1)
    objects = Objects(
      jnp.take_along_axis(images, order[:, :, None, None, None], 1),
      jnp.take_along_axis(targets, order[:, :, None], 1),
    )
    whole = jnp.minimum(jnp.sum(images, 1), 1)
    return Batch(whole, jnp.sum(targets, 1), first.weights, objects)
