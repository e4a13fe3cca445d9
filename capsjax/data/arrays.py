"""A data set from arrays in memory."""

from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8

from capsjax.data.dataset import ARRAYS, Dataset, Split
from capsjax.errors import UserError


def dataset_from_arrays(
  train: tuple[Any, Any],
  test: tuple[Any, Any],
  *,
  validation: tuple[Any, Any] | None = None,
  class_names: tuple[str, ...] = (),
) -> Dataset:
  """Makes a data set of images and labels.

  Args:
    train: images and labels to learn from.
    test: those that the reported error is measured on.
    validation: those that the best checkpoint is chosen by; None for none.
    class_names: one for each class; numbers if not given.

  Returns:
    The data set. Each pair holds images `[n, height, width, channels]` or
    `[n, height, width]`, uint8 or numbers in [0, 1], which are rounded to
    1/255; and labels from 0, as `[n]` or one-hot `[n, num_classes]`.

  Raises:
    UserError: if the arrays are of other shapes, types or ranges.

  Examples:
    >>> import numpy as np
    >>> from capsjax import dataset_from_arrays
    >>> images = np.random.default_rng(0).random((6, 28, 28))
    >>> labels = np.array([0, 1, 0, 1, 0, 1])
    >>> dataset = dataset_from_arrays(
    ...   (images[:4], labels[:4]),
    ...   (images[4:], labels[4:]),
    ...   class_names=('cat', 'dog'),
    ... )
    >>> dataset.image_shape, dataset.num_classes
    ((28, 28, 1), 2)

    Images that would be misread are refused:

    >>> dataset_from_arrays((255 * images, labels), (images, labels))
    Traceback (most recent call last):
    capsjax.errors.UserError: train: images are float64 from ...
  """
  pairs = {'train': train, 'test': test}
  pairs |= {} if validation is None else {'validation': validation}
  labels = {part: _labels(pair[1], part) for part, pair in pairs.items()}
  images = {part: _images(pair[0], part) for part, pair in pairs.items()}
  for part in pairs:
    if len(images[part]) != len(labels[part]):
      raise UserError(
        f'{part}: {len(images[part])} images but {len(labels[part])} labels; '
        'give one label for each image'
      )
  num_classes = len(class_names) or _count_classes(train[1], labels['train'])
  for part, found in labels.items():
    if found.max() >= num_classes:
      raise UserError(
        f'{part}: a label is {found.max()}, but there are {num_classes} '
        'classes, numbered from 0; name all of them in class_names'
      )
  splits = {part: Split(images[part], labels[part]) for part in pairs}
  return Dataset(
    ARRAYS,
    splits['train'],
    splits['test'],
    splits.get('validation'),
    num_classes,
    tuple(class_names),
  )


def _images(images: Any, part: str) -> UInt8[np.ndarray, 'n h w c']:
  images = np.asarray(images)
  if images.ndim == 3:
    images = images[..., None]
  if images.ndim != 4 or not images.size:
    raise UserError(
      f'{part}: images have the shape {images.shape}, not [n, height, width, '
      'channels] or [n, height, width]'
    )
  if images.dtype == np.uint8:
    return images
  # Numbers from 0 to 255 of another type would become white images.
  is_real = np.issubdtype(images.dtype, np.floating) or images.dtype == bool
  if not is_real or not (np.min(images) >= 0 and np.max(images) <= 1):
    raise UserError(
      f'{part}: images are {images.dtype} from {np.min(images)} to '
      f'{np.max(images)}; give uint8 from 0 to 255, or floats in [0, 1]'
    )
  return np.rint(255 * images.astype(np.float32)).astype(np.uint8)


def _labels(labels: Any, part: str) -> Int32[np.ndarray, ' n']:
  labels = np.asarray(labels)
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  if labels.ndim == 2:
    is_one_hot = np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all()
    if not is_one_hot:
      raise UserError(
        f'{part}: labels of the shape {labels.shape} must be one-hot, with one '
        '1 in each row'
      )
    labels = labels.argmax(1)
  if labels.ndim != 1 or not labels.size:
    raise UserError(
      f'{part}: labels have the shape {labels.shape}, not [n] or one-hot '
      '[n, num_classes]'
    )
  is_number = np.issubdtype(labels.dtype, np.number) or labels.dtype == bool
  if not is_number or not np.array_equal(labels, np.rint(labels)):
    raise UserError(
      f'{part}: labels must be whole numbers from 0, not {labels.dtype} such '
      f'as {labels[0]!r}; number the classes, and name them in class_names'
    )
  if labels.min() < 0:
    raise UserError(f'{part}: a label is {labels.min():g}; number them from 0')
  return labels.astype(np.int32)


def _count_classes(given: Any, labels: Int32[np.ndarray, ' n']) -> int:
  """Returns the number of classes, and refuses labels numbered from 1."""
  given = np.asarray(given)
  if given.ndim == 2 and given.shape[1] > 1:
    return given.shape[1]  # One-hot.
  present = np.unique(labels)
  if present[0] == 1 and len(present) == present[-1]:
    raise UserError(
      f'train: labels run from 1 to {present[-1]}, but must start from 0; '
      'subtract 1, or give class_names if no training image is of class 0'
    )
  return 1 + int(present[-1])
