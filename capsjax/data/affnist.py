"""affNIST: MNIST digits, each under 32 random affine transformations.

It tests networks that were trained only on digits translated on a 40x40 canvas
and never on other affine transformations (Sabour et al. 2017, section 5.2).
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
  """Reads the test split of affNIST.

  Args:
    data_dir: the folder that holds `test.mat`, or a folder `test_batches` with
      several `.mat` files, directly or in its subfolder `affnist`. None for the
      user's cache.

  Returns:
    320,000 images of shape [40, 40, 1], or as many as the files hold. Several
    files are concatenated in the order of their numbers.

  Raises:
    UserError: the folder or the files are missing or damaged, or hold other
      data.

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
      # Numeric order: 2.mat comes before 10.mat.
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
  # Each column holds an image row by row, although MATLAB itself is
  # column-major: read this way, three in four images are recognised by a model
  # that knows MNIST.
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
