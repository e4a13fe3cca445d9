"""Image-classification sets as arrays, and what is done to them on the device.

Images are uint8 `[n, h, w, c]` and labels int32 `[n]`, in the memory of the
host, from the reader to the device. `scale_images` makes float32 in [0, 1] of
them there. Nothing in this package knows a model.
"""

from capsjax.data.affine import affine_matrix, map_affine, random_affine
from capsjax.data.augment import random_shift, scale_images
from capsjax.data.batches import epoch_permutation
from capsjax.data.dataset import Dataset, Split, hold_out
from capsjax.data.digits import load_digits
from capsjax.data.examples import Examples, SingleExamples
from capsjax.data.idx import read_images, read_labels
from capsjax.data.load import load_dataset
from capsjax.data.mnist import load_fashion_mnist, load_mnist
from capsjax.data.pairs import PairExamples
from capsjax.data.preparation import Preparation
from capsjax.data.tfds import load_tfds

__all__ = [
  'Dataset',
  'Examples',
  'PairExamples',
  'Preparation',
  'SingleExamples',
  'Split',
  'affine_matrix',
  'epoch_permutation',
  'hold_out',
  'load_dataset',
  'load_digits',
  'load_fashion_mnist',
  'load_mnist',
  'load_tfds',
  'map_affine',
  'random_affine',
  'random_shift',
  'read_images',
  'read_labels',
  'scale_images',
]
