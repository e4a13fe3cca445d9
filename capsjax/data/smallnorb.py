"""smallNORB: stereo images of toys in five classes, from many viewpoints.

The training and test splits show different toys.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8

from capsjax.data.dataset import (
  Dataset,
  Split,
  checked_split,
)
from capsjax.data.formats import download
from capsjax.data.formats.lush import read_lush
from capsjax.data.tfds import load_tfds
from capsjax.errors import UserError

_NAME = 'smallnorb'
_SITE = 'https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/'
_TRAIN = 'smallnorb-5x46789x9x18x6x2x96x96-training'
_TEST = 'smallnorb-5x01235x9x18x6x2x96x96-testing'
_FILES = tuple(
  f'{part}-{kind}.mat' for part in (_TRAIN, _TEST) for kind in ('dat', 'cat')
)
_CLASS_NAMES = ('animal', 'human', 'plane', 'truck', 'car')
_CAMERAS = 2
_SIZE = 96


def load_smallnorb(
  *, data_dir: str | os.PathLike[str] | None = None
) -> Dataset:
  """Loads smallNORB at half its resolution, with the two cameras as channels.

  Each pixel is the mean of a 2x2 block of the original 96x96 image, rounded
  half up.

  Args:
    data_dir: the folder that holds the original files `smallnorb-...-dat.mat`
      and `-cat.mat`, `.gz` or not, directly or in its subfolder `smallnorb`.
      Without such files, TFDS prepares the data set in this folder. None for
      the user's cache.

  Returns:
    24,300 training and 24,300 test images of shape [48, 48, 2]; the channels
    are the left and the right camera.

  Raises:
    UserError: the folder does not exist, files are damaged or do not belong
      together, or there are none and TFDS cannot provide the set.

  References:
    LeCun, Huang, Bottou: Learning methods for generic object recognition with
    invariance to pose and lighting, CVPR 2004.
  """
  paths = _find(download.data_folder(data_dir))
  if paths:
    train, test = _read(paths, _TRAIN), _read(paths, _TEST)
  else:
    train, test = _load_from_tfds(data_dir)
  return Dataset(
    _NAME, _halve(train), _halve(test), None, len(_CLASS_NAMES), _CLASS_NAMES
  )


def _load_from_tfds(
  data_dir: str | os.PathLike[str] | None,
) -> tuple[Split, Split]:
  try:
    dataset = load_tfds(_NAME, data_dir=data_dir)
  except UserError as error:
    folder = download.data_folder(data_dir) / _NAME
    raise UserError(
      f'{_NAME} is missing: put {", ".join(_FILES)} (or these as .gz) from'
      f' {_SITE} into {folder}, or use TFDS, which says: {error}'
    ) from error
  return dataset.train, dataset.test


def _find(root: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the path of each file, all in one folder, or an empty dict."""
  found = {folder: _find_in(folder) for folder in (root / _NAME, root)}
  for paths in found.values():
    if len(paths) == len(_FILES):
      return paths
  for folder, paths in found.items():
    missing = [file for file in _FILES if file not in paths]
    if paths:
      # No TFDS here: the user's files may be another set in the same format.
      raise UserError(
        f'{folder} lacks {", ".join(missing)}: put it there, for instance from'
        f' {_SITE}'
      )
  return {}


def _find_in(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  candidates = ((f, folder / (f + s)) for f in _FILES for s in ('.gz', ''))
  return {file: path for file, path in candidates if path.exists()}


def _read(paths: Mapping[str, pathlib.Path], part: str) -> Split:
  images_path, labels_path = paths[f'{part}-dat.mat'], paths[f'{part}-cat.mat']
  images, labels = read_lush(images_path), read_lush(labels_path)
  if images.dtype != np.uint8 or images.shape[1:] != (_CAMERAS, _SIZE, _SIZE):
    raise UserError(
      f'{images_path} holds {images.dtype} of shape {images.shape}, but must'
      f' hold uint8 of shape (n, {_CAMERAS}, {_SIZE}, {_SIZE}): put the right'
      ' file there'
    )
  if labels.dtype != np.int32 or labels.ndim != 1:
    raise UserError(
      f'{labels_path} holds {labels.dtype} of shape {labels.shape}, but must'
      ' hold int32 of shape (n,): put the right file there'
    )
  return checked_split(
    np.moveaxis(images, 1, -1),
    labels,
    num_classes=len(_CLASS_NAMES),
    source=f'{images_path} and {labels_path.name}',
  )


def _halve(split: Split) -> Split:
  return dataclasses.replace(split, images=_mean_of_blocks(split.images))


def _mean_of_blocks(
  images: UInt8[np.ndarray, 'n h w c'],
) -> UInt8[np.ndarray, 'n h//2 w//2 c']:
  count, height, width, channels = images.shape
  sums = np.zeros((count, height // 2, width // 2, channels), np.uint16)
  for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
    sums += images[:, y::2, x::2]
  return ((sums + 2) // 4).astype(np.uint8)
