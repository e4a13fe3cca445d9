"""SVHN: house numbers from Google Street View, cropped to one digit each."""

import dataclasses
import os
import pathlib

import numpy as np

from capsjax.data.dataset import (
  Dataset,
  Split,
  checked_split,
)
from capsjax.data.formats import download, matlab
from capsjax.data.tfds import load_tfds
from capsjax.errors import UserError

_NAME = 'svhn'
_SITE = 'http://ufldl.stanford.edu/housenumbers/'
_FILES = ('train_32x32.mat', 'test_32x32.mat')
_NUM_CLASSES = 10
_IMAGE_SHAPE = (32, 32, 3)


def load_svhn(*, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
  """Loads SVHN's cropped digits, without the 531,131 extra images.

  Args:
    data_dir: the folder that holds the original files `train_32x32.mat` and
      `test_32x32.mat`, directly or in its subfolder `svhn`. Without such
      files, TFDS prepares its `svhn_cropped` in this folder. None for the
      user's cache.

  Returns:
    73,257 training and 26,032 test images of shape [32, 32, 3]; the label is
    the digit.

  Raises:
    UserError: the folder does not exist, files are damaged or do not belong
      together, or there are none and TFDS cannot provide the set.

  References:
    Netzer, Wang, Coates, Bissacco, Wu, Ng: Reading digits in natural images
    with unsupervised feature learning, NIPS workshop, 2011.
  """
  root = download.data_folder(data_dir)
  paths = _find(root)
  if paths:
    train, test = map(_read, paths)
    return Dataset(_NAME, train, test, None, _NUM_CLASSES)
  try:
    dataset = load_tfds('svhn_cropped', data_dir=data_dir)
  except UserError as error:
    raise UserError(
      f'{_NAME} is missing: put {" and ".join(_FILES)} from {_SITE} into'
      f' {root / _NAME}, or use TFDS, which says: {error}'
    ) from error
  return dataclasses.replace(dataset, name=_NAME)


def _find(root: pathlib.Path) -> list[pathlib.Path]:
  """Returns the paths of both files in one folder, or an empty list."""
  folders = (root / _NAME, root)
  for folder in folders:
    paths = [folder / file for file in _FILES]
    if all(path.exists() for path in paths):
      return paths
  for folder in folders:
    missing = [file for file in _FILES if not (folder / file).exists()]
    if len(missing) < len(_FILES):
      # No TFDS here: the user's files may be another set in the same format.
      raise UserError(
        f'{folder} lacks {", ".join(missing)}: put it there, for instance from'
        f' {_SITE}'
      )
  return []


def _read(path: pathlib.Path) -> Split:
  variables = matlab.read_variables(path, ['X', 'y'])
  images = variables['X']
  wanted = (*_IMAGE_SHAPE, images.shape[-1])
  if images.dtype != np.uint8 or images.shape != wanted:
    raise UserError(
      f'{path}: X is {images.dtype} of shape {images.shape}, but must be uint8'
      f' of shape {wanted}: put the right file there'
    )
  labels = matlab.class_labels(
    variables['y'], largest=_NUM_CLASSES, source=f'{path}: y'
  )
  # MATLAB counts from 1: in the file, the digit 0 has the label 10.
  labels[labels == _NUM_CLASSES] = 0
  return checked_split(
    np.ascontiguousarray(np.moveaxis(images, -1, 0)),
    labels,
    num_classes=_NUM_CLASSES,
    source=str(path),
  )
