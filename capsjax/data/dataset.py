"""The data set that every reader returns, as arrays in host memory."""

import dataclasses

import numpy as np
from jaxtyping import Int32, Integer, UInt8

from capsjax.errors import UserError

# The name of a data set that was given as arrays, and is not read from files.
ARRAYS = 'arrays'


# eq=False: `==` on arrays returns an array, so a generated __eq__ would raise.
@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and their labels.

  Attributes:
    images: uint8 of shape [n, h, w, c], 0 to 255.
    labels: int32 of shape [n], counted from 0.

  Examples:
    >>> import numpy as np
    >>> from capsjax.data import Split
    >>> split = Split(np.zeros((3, 28, 28, 1), np.uint8), np.int32([7, 2, 1]))
    >>> len(split)
    3
  """

  images: UInt8[np.ndarray, 'n h w c']
  labels: Int32[np.ndarray, ' n']

  def __len__(self) -> int:
    return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """Training, test and optional validation images, all of one size.

  Attributes:
    name: the name the data set was loaded by.
    train: the training split.
    test: the split for the reported error; never used for model selection.
    validation: the split for model selection, or None.
    num_classes: labels are 0 to num_classes - 1.
    class_names: the names of the classes; by default their numbers.
    background: the colour that transparent pixels of the images were laid on,
      one value from 0 to 255 per channel; () if no pixel was transparent.

  Raises:
    UserError: images are not uint8 or differ in size, labels are out of range
      or not one per image, or the number of names differs from the number of
      classes.

  Examples:
    >>> from capsjax.data import Dataset, load_digits
    >>> digits = load_digits()
    >>> digits.image_shape, digits.num_classes, len(digits.test)
    ((28, 28, 1), 10, 360)
    >>> Dataset('mine', digits.train, digits.test, None, 10).class_names[:3]
    ('0', '1', '2')
  """

  name: str
  train: Split
  test: Split
  validation: Split | None
  num_classes: int
  class_names: tuple[str, ...] = ()
  background: tuple[int, ...] = ()

  def __post_init__(self):
    if not self.class_names:
      names = tuple(map(str, range(self.num_classes)))
      object.__setattr__(self, 'class_names', names)
    if len(self.class_names) != self.num_classes:
      raise UserError(
        f'{self.name}: {len(self.class_names)} names for {self.num_classes}'
        ' classes; give each class one name'
      )
    for split in self.splits.values():
      _require_sound(split, self.num_classes, self.name)
      if split.images.shape[1:] != self.image_shape:
        raise UserError(
          f'{self.name}: training images are {self.image_shape} and others'
          f' {split.images.shape[1:]}; capsjax needs images of one size'
        )

  @property
  def splits(self) -> dict[str, Split]:
    """The splits by the name of their attribute, without one that is None."""
    found = {'train': self.train, 'test': self.test}
    if self.validation is not None:
      found['validation'] = self.validation
    return found

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """Height, width and channels of every image."""
    return self.train.images.shape[1:]


def _require_sound(split: Split, num_classes: int, source: str) -> None:
  """Checks a split that may have been made by hand."""
  images, labels = split.images, split.labels
  if images.dtype != np.uint8 or images.ndim != 4:
    raise UserError(
      f'{source}: images are {images.dtype} of shape {images.shape}, but must'
      ' be uint8 [n, height, width, channels]; capsjax.dataset_from_arrays'
      ' converts them'
    )
  if labels.dtype != np.int32 or labels.shape != images.shape[:1]:
    raise UserError(
      f'{source}: labels are {labels.dtype} of shape {labels.shape}, but must'
      f' be int32 of shape ({len(images)},), one for each image;'
      ' capsjax.dataset_from_arrays converts them'
    )
  if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
    raise UserError(
      f'{source}: labels run from {labels.min()} to {labels.max()}, but must'
      f' lie in 0 to {num_classes - 1}; number the classes from 0'
    )


def checked_split(
  images: UInt8[np.ndarray, 'n h w c'],
  labels: Integer[np.ndarray, ' m'],
  *,
  num_classes: int,
  source: str,
) -> Split:
  """Creates a split after validating its images and labels.

  Args:
    images: uint8 of shape [n, h, w, c].
    labels: any integer type, of shape [n].
    num_classes: labels must be 0 to num_classes - 1.
    source: where the arrays come from, for error messages.

  Returns:
    The split.

  Raises:
    UserError: there are no images, the numbers of images and labels differ, or
      a label is out of range.
  """
  if len(images) != len(labels):
    raise UserError(
      f'{source}: {len(images)} images but {len(labels)} labels;'
      ' the files do not belong together, get both again'
    )
  if not len(images):
    raise UserError(f'{source}: there are no images; get it again')
  if labels.min() < 0 or labels.max() >= num_classes:
    advice = (
      'use a set with a label for every image'
      if labels.min() < 0
      else 'give other classes as capsjax.dataset_from_arrays or as a folder'
    )
    raise UserError(
      f'{source}: labels run from {labels.min()} to {labels.max()}, but must'
      f' lie in 0 to {num_classes - 1}; {advice}'
    )
  return Split(images, labels.astype(np.int32))
