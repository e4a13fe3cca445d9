"""How the examples of a batch are made of a split, on the device."""

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
  """A split, or a part of it, on the device or in the host's memory."""

  images: UInt8[Array | np.ndarray, 'size height width channels']
  labels: Int32[Array | np.ndarray, ' size']


class Examples(abc.ABC):
  """Makes batches, for training at random and for tests always the same.

  Attributes:
    num_classes: labels are 0 to num_classes - 1.
    num_objects: how many classes an example shows.
  """

  num_classes: int
  num_objects: int

  @abc.abstractmethod
  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Height, width and channels of examples made of images of a shape."""

  @abc.abstractmethod
  def arrange(self, data: DeviceData) -> DeviceData:
    """Puts a split in the order that batches are made from."""

  @abc.abstractmethod
  def test_size(self, size: int) -> int:
    """The number of test examples that a split of a size gives."""

  @abc.abstractmethod
  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """Examples with these images, drawn with these keys."""

  @abc.abstractmethod
  def test_batch(
    self, data: DeviceData, indices: Int32[Array, ' batch']
  ) -> Batch:
    """The test examples of these numbers."""


@dataclasses.dataclass(frozen=True)
class SingleExamples(Examples):
  """An example is one image, prepared.

  Attributes:
    num_classes: labels are 0 to num_classes - 1.
    preparation: what is done to an image.
  """

  num_classes: int
  preparation: Preparation
  num_objects = 1

  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Height, width and channels of prepared images."""
    return self.preparation.image_shape(shape)

  def arrange(self, data: DeviceData) -> DeviceData:
    """Leaves the order as it is."""
    return data

  def test_size(self, size: int) -> int:
    """Every image once."""
    return size

  def training_batch(
    self,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    keys: Key[Array, ' batch'],
  ) -> Batch:
    """The images of these numbers, prepared at random."""
    prepare = jax.vmap(self.preparation.for_training)
    return self._batch(prepare(keys, data.images[indices]), data, indices)

  def test_batch(
    self, data: DeviceData, indices: Int32[Array, ' batch']
  ) -> Batch:
    """The images of these numbers, prepared for a test."""
    prepare = jax.vmap(self.preparation.for_test)
    return self._batch(prepare(data.images[indices]), data, indices)

  def _batch(self, images, data, indices):
    labels = data.labels[indices]
    targets = jax.nn.one_hot(labels, self.num_classes, dtype=jnp.float32)
    return Batch(images, targets, jnp.ones(len(indices), jnp.float32))
