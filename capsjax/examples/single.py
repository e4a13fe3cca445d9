"""Makes the examples of a batch from a split, on the device."""

import abc
import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, Key, UInt8

from capsjax.examples.batch import Batch
from capsjax.examples.preparation import Preparation


class DeviceData(NamedTuple):
  """A split, or a part of it, on the device or in host memory."""

  images: UInt8[Array | np.ndarray, 'size height width channels']
  labels: Int32[Array | np.ndarray, ' size']


class Examples(abc.ABC):
  """Makes batches: random ones for training, fixed ones for tests.

  Attributes:
    num_classes: labels are 0 to num_classes - 1.
    num_objects: the number of classes that an example shows.
  """

  num_classes: int
  num_objects: int

  @abc.abstractmethod
  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns height, width and channels of examples from these images."""

  @abc.abstractmethod
  def arrange(self, data: DeviceData) -> DeviceData:
    """Sorts a split into the order that batches are made from."""

  @abc.abstractmethod
  def test_size(self, size: int) -> int:
    """Returns the number of test examples that a split of this size gives."""

  @abc.abstractmethod
  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """Makes training examples from these images, with one key each."""

  @abc.abstractmethod
  def test_batch(
    self, data: DeviceData, indices: Int32[Array, ' batch']
  ) -> Batch:
    """Makes the test examples at these indices."""


@dataclasses.dataclass(frozen=True)
class SingleExamples(Examples):
  """Makes examples that are one prepared image each.

  Attributes:
    num_classes: labels are 0 to num_classes - 1.
    preparation: prepares each image.
  """

  num_classes: int
  preparation: Preparation
  num_objects = 1

  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns height, width and channels of prepared images."""
    return self.preparation.image_shape(shape)

  def arrange(self, data: DeviceData) -> DeviceData:
    """Returns the split unchanged."""
    return data

  def test_size(self, size: int) -> int:
    """Returns `size`: every image is one test example."""
    return size

  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """Prepares the images at these indices with random augmentation."""
    prepare = jax.vmap(self.preparation.for_training)
    return self._batch(prepare(keys, data.images[indices]), data, indices)

  def test_batch(
    self, data: DeviceData, indices: Int32[Array, ' batch']
  ) -> Batch:
    """Prepares the images at these indices for a test."""
    prepare = jax.vmap(self.preparation.for_test)
    return self._batch(prepare(data.images[indices]), data, indices)

  def _batch(self, images, data, indices):
    labels = data.labels[indices]
    targets = jax.nn.one_hot(labels, self.num_classes, dtype=jnp.float32)
    return Batch(images, targets, jnp.ones(len(indices), jnp.float32))
