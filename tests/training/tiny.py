"""A network and images small enough for very fast training steps."""

import numpy as np

from capsjax.data import Dataset, Split
from capsjax.models import CapsNet
from capsjax.training import capsule_losses

CLASSES = 3
IMAGE_SHAPE = (12, 12, 1)

MODEL_FIELDS = {
  'capsule_dim': 4,
  'conv_features': 6,
  'conv_kernel_size': (3, 3),
  'num_types': 2,
  'primary_dim': 4,
  'primary_kernel_size': (3, 3),
  'decoder_sizes': (8,),
}


def model(**fields) -> CapsNet:
  return CapsNet(num_classes=CLASSES, **(MODEL_FIELDS | fields))


def split(size: int, seed: int = 0) -> Split:
  """Makes bars whose position depends on the class, which is easy to learn."""
  rng = np.random.default_rng(seed)
  labels = rng.integers(0, CLASSES, size, np.int32)
  images = rng.integers(0, 60, (size, *IMAGE_SHAPE), np.uint8)
  for image, label in zip(images, labels, strict=True):
    image[3 * label + 1 : 3 * label + 3] = 250
  return Split(images, labels)


def dataset(size: int = 40) -> Dataset:
  return Dataset('bars', split(size), split(10, seed=1), None, CLASSES)


objective = capsule_losses
