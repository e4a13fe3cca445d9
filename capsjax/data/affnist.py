"""affNIST: MNIST's digits, each turned, sheared, scaled and moved 32 times.

A network that has never seen an affine transformation, only digits moved about
on 40x40 pixels, is tested on it (Sabour et al. 2017, section 5.2).
"""

import os
import pathlib

import numpy as np

from capsjax.data.dataset import Split, checked_split
from capsjax.data.formats import download, matlab
from capsjax.errors import UserError

_URL = 'https://www.cs.toronto.edu/~tijmen/affNIST/32x/transformed/test.mat.zip'
_SIZE = 40
_NUM_CLASSES = 10


def read_affnist(data_dir: str | os.PathLike[str] | None) -> Split:
  """Reads the test part of affNIST.

  Args:
    data_dir: the file `test.mat`, or the folder `test_batches` of several
      `.mat` files, lies in it or in its folder `affnist`. None for the user's
      cache.

  Returns:
    320,000 images of shape [40, 40, 1], or as many as the files hold; several
    files one after another by their numbers.

  Raises:
    UserError: the folder or the files are missing or damaged, or hold
      something else.

  References:
    Tieleman: The affNIST dataset for machine learning, 2013,
    https://www.cs.toronto.edu/~tijmen/affNIST/
  """
  splits = [_read(path) for path in _find(download.data_folder(data_dir))]
  if len(splits) == 1:
    return splits[0]
  return Split(
    np.concatenate([split.images for split in splits]),
    np.concatenate([split.labels for split in splits]),
  )


def _find(root: pathlib.Path) -> list[pathlib.Path]:
  for folder in (root / 'affnist', root):
    if (folder / 'test.mat').exists():
      return [folder / 'test.mat']
    batches = list((folder / 'test_batches').glob('*.mat'))
    if batches:
      # As they are numbered: 2.mat comes before 10.mat.
      return sorted(batches, key=lambda path: (len(path.name), path.name))
  raise UserError(
    f'affNIST is not in {root}: get {_URL} and unpack it to'
    f' {root / "affnist" / "test.mat"}'
  )


def _read(path: pathlib.Path) -> Split:
  fields = matlab.read_struct(path, 'affNISTdata', ['image', 'label_int'])
  columns = fields['image']
  wanted = (_SIZE * _SIZE, columns.shape[-1])
  if columns.dtype != np.uint8 or columns.shape != wanted:
    raise UserError(
      f'{path}: image is {columns.dtype} of shape {columns.shape}, but must be'
      f' uint8 of shape {wanted}: put the right file there'
    )
  # A column is an image row by row, though MATLAB's own order would go down its
  # columns: read row by row, three of four are known to who knows MNIST.
  images = columns.T.reshape(-1, _SIZE, _SIZE, 1)
  labels = matlab.class_labels(
    fields['label_int'],
    largest=_NUM_CLASSES - 1,
    source=f'{path}: label_int',
  )
  return checked_split(
    np.ascontiguousarray(images),
    labels,
    num_classes=_NUM_CLASSES,
    source=str(path),
  )
