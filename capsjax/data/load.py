"""Loads any supported data set by its name."""

import os
from collections.abc import Callable
from typing import Any

from capsjax.data.dataset import ARRAYS, Dataset
from capsjax.data.digits import load_digits
from capsjax.data.folder.load import load_folder
from capsjax.data.mnist import load_fashion_mnist, load_mnist
from capsjax.data.placed_mnist import (
  load_affine_mnist,
  load_affnist,
  load_expanded_mnist,
)
from capsjax.data.selection import hold_out, limit_training
from capsjax.data.smallnorb import load_smallnorb
from capsjax.data.svhn import load_svhn
from capsjax.data.tfds import load_tfds
from capsjax.errors import UserError
from capsjax.files import require_local

# Data sets with their own readers; other names are looked up in TFDS.
_LOADERS: dict[str, Callable[..., Dataset]] = {
  'affine_mnist': load_affine_mnist,
  'affnist': load_affnist,
  'digits': lambda data_dir: load_digits(),
  'expanded_mnist': load_expanded_mnist,
  'fashion_mnist': load_fashion_mnist,
  'folder': load_folder,
  'mnist': load_mnist,
  'smallnorb': load_smallnorb,
  'svhn': load_svhn,
}


def load_dataset(
  name: str,
  *,
  data_dir: str | os.PathLike[str] | None = None,
  validation_size: int = 0,
  train_size: int = 0,
  seed: int = 0,
  image_size: int | tuple[int, int] = 0,
  channels: int = 0,
  background: int = 0,
) -> Dataset:
  """Loads a data set by name.

  Args:
    name: 'mnist', 'fashion_mnist', 'digits' (needs no download), 'svhn',
      'smallnorb', 'expanded_mnist', 'affine_mnist', 'affnist', 'folder' (class
      folders of pictures in `data_dir`), or the name of a TensorFlow Datasets
      set with images of one size, labels, and a test split.
    data_dir: the folder to read data from and download them to; None for the
      user's cache.
    validation_size: number of training images to hold out for validation.
    train_size: number of training images to keep; 0 for all.
    seed: chooses the images to hold out and to keep, and the test split of
      'folder' if it has none. The random test splits of 'affine_mnist' and
      'expanded_mnist' do not depend on it.
    image_size: height and width in pixels that pictures of 'folder' are resized
      to, or one number for squares; 0 keeps their size.
    channels: number of channels of the pictures of 'folder', 1 or 3; 0 keeps
      theirs.
    background: grey level behind transparent pictures of 'folder'.

  Returns:
    The data set.

  Raises:
    UserError: the name is unknown; the data are missing, damaged or cannot be
      downloaded; or `image_size`, `channels` or `background` is set for a
      data set other than 'folder'.

  Examples:
    >>> from capsjax.data import load_dataset
    >>> dataset = load_dataset('digits', validation_size=100, train_size=500)
    >>> len(dataset.train), len(dataset.validation), len(dataset.test)
    (500, 100, 360)
    >>> load_dataset('digits', image_size=32)
    Traceback (most recent call last):
    capsjax.errors.UserError: images.size, images.channels and ...
  """
  if name == ARRAYS:
    raise UserError(
      'the run was trained on arrays, which are in no file: pass them as '
      '`dataset` to capsjax.train, or to `evaluate` of the loaded run'
    )
  options: dict[str, Any] = {'data_dir': data_dir}
  if name == 'folder':
    options |= {'image_size': image_size, 'channels': channels, 'seed': seed}
    options['background'] = background
  elif image_size or channels or background:
    raise UserError(
      'images.size, images.channels and images.background are for '
      f'dataset=folder, not {name}; set them to 0'
    )
  if name in _LOADERS:
    # TFDS, below, reads from other places too.
    require_local(data_dir or '')
    dataset = _LOADERS[name](**options)
  else:
    dataset = load_tfds(name, data_dir=data_dir, other_names=tuple(_LOADERS))
  dataset = hold_out(dataset, validation_size=validation_size, seed=seed)
  return limit_training(dataset, train_size=train_size, seed=seed)
