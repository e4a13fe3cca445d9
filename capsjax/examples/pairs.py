"""Two images of different classes, laid over each other (MultiMNIST)."""

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
  """An example is the sum of two shifted images, at most 1 (section 6).

  Pairs are composed on the device and never stored. In training each image of
  an epoch is paired with another one, of another class, drawn anew; each test
  pair has a key of its own, so that the same seed gives the same pairs.

  Attributes:
    singles: prepares each of the two images.
    padding: black pixels that are added on each side: 4 in the paper.
    max_shift: each image is moved on the larger canvas by up to so many pixels
      in each direction: 4 in the paper, 6 in its code, where a digit may be cut
      off.
    test_pairs: how many pairs each test image begins: 1,000 in the paper.
    test_seed: chooses the test pairs.
  """

  singles: SingleExamples
  padding: int = 4
  max_shift: int = 4
  test_pairs: int = 1
  test_seed: int = 0
  num_objects = 2

  @property
  def num_classes(self) -> int:  # type: ignore[override]
    """Labels are 0 to num_classes - 1."""
    return self.singles.num_classes

  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Height, width and channels of the canvas."""
    height, width, channels = self.singles.image_shape(shape)
    return (height + 2 * self.padding, width + 2 * self.padding, channels)

  def arrange(self, data: DeviceData) -> DeviceData:
    """Sorts a split by class, so that a class is one range."""
    order = np.argsort(data.labels, kind='stable')
    return DeviceData(data.images[order], data.labels[order])

  def test_size(self, size: int) -> int:
    """The number of test pairs."""
    return size * self.test_pairs

  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """Pairs that begin with the images of these numbers."""
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
    """The test pairs of these numbers."""
    order_key, pair_key = jax.random.split(jax.random.key(self.test_seed))
    # The data are in the order of the classes; the first pairs should not be.
    order = jax.random.permutation(order_key, len(data.labels))
    begins = order.astype(jnp.int32)[indices % len(data.labels)]
    keys = jax.vmap(
      lambda i: jax.random.split(jax.random.fold_in(pair_key, i), 3)
    )(indices)
    pairs = self._pairs(data, begins, keys[:, 0])
    first, second = (self.singles.test_batch(data, part) for part in pairs)
    return self._compose(first, second, keys[:, 1:])

  def _pairs(self, data, indices, keys):
    """Adds to each image one drawn from those of all other classes."""
    size = len(data.labels)
    labels = data.labels[indices]
    start = jnp.searchsorted(data.labels, labels, side='left')
    end = jnp.searchsorted(data.labels, labels, side='right')
    draw = jax.vmap(lambda key, n: jax.random.randint(key, (), 0, n, jnp.int32))
    # The others follow the class, round the end of the set to its start.
    return indices, (end + draw(keys, size - (end - start))) % size

  def _compose(self, first, second, keys):
    """Lays shifted images over each other."""
    margin = (self.padding, self.padding)

    def place(key, image):
      canvas = jnp.pad(image, (margin, margin, (0, 0)))
      return random_shift(key, canvas, max_shift=self.max_shift)

    place = jax.vmap(place)
    images = jnp.stack(
      [place(keys[:, 0], first.images), place(keys[:, 1], second.images)], 1
    )
    targets = jnp.stack([first.targets, second.targets], 1)
    # The decoder's pictures have no order but that of the classes.
    order = jnp.argsort(jnp.argmax(targets, -1), -1)
    objects = Objects(
      jnp.take_along_axis(images, order[:, :, None, None, None], 1),
      jnp.take_along_axis(targets, order[:, :, None], 1),
    )
    whole = jnp.minimum(jnp.sum(images, 1), 1)
    return Batch(whole, jnp.sum(targets, 1), first.weights, objects)
