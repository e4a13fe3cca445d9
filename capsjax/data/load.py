"""One name, one data set."""

import os

from capsjax.data.dataset import Dataset, hold_out
from capsjax.data.digits import load_digits
from capsjax.data.mnist import load_fashion_mnist, load_mnist
from capsjax.data.tfds import load_tfds


def load_dataset(
  name: str,
  *,
  data_dir: str | os.PathLike[str] | None = None,
  validation_size: int = 0,
  seed: int = 0,
) -> Dataset:
  """Loads a data set by name.

  Args:
    name: 'mnist', 'fashion_mnist', 'digits' (needs no download), or the name
      of any image-classification set of TensorFlow Datasets.
    data_dir: the folder that data lie in and are downloaded into; None for the
      user's cache.
    validation_size: how many training images to hold out for validation.
    seed: chooses the images held out.

  Returns:
    The data set.

  Raises:
    UserError: the name is unknown, or the data are missing, damaged or cannot
      be downloaded.
  """
  if name == 'digits':
    dataset = load_digits()
  elif name == 'mnist':
    dataset = load_mnist(data_dir=data_dir)
  elif name == 'fashion_mnist':
    dataset = load_fashion_mnist(data_dir=data_dir)
  else:
    dataset = load_tfds(name, data_dir=data_dir)
  return hold_out(dataset, validation_size=validation_size, seed=seed)
