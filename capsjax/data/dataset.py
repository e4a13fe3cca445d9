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

  Raises:
    UserError: the splits hold images of different sizes, or the number of
      names differs from the number of classes.

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

  def __post_init__(self):
    if not self.class_names:
      names = tuple(map(str, range(self.num_classes)))
      object.__setattr__(self, 'class_names', names)
    if len(self.class_names) != self.num_classes:
      raise UserError(
        f'{self.name}: {len(self.class_names)} names for {self.num_classes}'
        ' classes; give each class one name'
      )
    for split in (self.test, self.validation):
      if split is not None and split.images.shape[1:] != self.image_shape:
        raise UserError(
          f'{self.name}: training images are {self.image_shape} and others'
          f' {split.images.shape[1:]}; capsjax needs images of one size'
        )

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """Height, width and channels of every image."""
    return self.train.images.shape[1:]


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
    raise UserError(
      f'{source}: labels run from {labels.min()} to {labels.max()}, but must'
      f' lie in 0 to {num_classes - 1}; use a set with a label for every image'
    )
  return Split(images, labels.astype(np.int32))


def hold_out(dataset: Dataset, *, validation_size: int, seed: int) -> Dataset:
  """Moves randomly chosen training images to the validation split.

  Args:
    dataset: the data set, which is not modified.
    validation_size: number of images to move; 0 returns the data set as it is.
    seed: the same seed chooses the same images.

  Returns:
    The data set with the new splits, each in the original order.

  Raises:
    UserError: `validation_size` is negative or leaves no training image, or
      the data set already has a validation split.

  Examples:
    >>> from capsjax.data import hold_out, load_digits
    >>> dataset = hold_out(load_digits(), validation_size=100, seed=0)
    >>> len(dataset.train), len(dataset.validation), len(dataset.test)
    (1337, 100, 360)
  """
  size = len(dataset.train)
  if not 0 <= validation_size < size:
    raise UserError(
      f'validation_size is {validation_size}, but must lie in 0 to {size - 1}:'
      f' {dataset.name} has {size} training images'
    )
  if not validation_size:
    return dataset
  if dataset.validation is not None:
    raise UserError(
      f'{dataset.name} has a validation split already'
      f' ({len(dataset.validation)} images): leave validation_size at 0'
    )
  chosen = np.zeros(size, bool)
  order = np.random.default_rng(seed).permutation(size)
  chosen[order[:validation_size]] = True
  return dataclasses.replace(
    dataset,
    train=_select(dataset.train, ~chosen),
    validation=_select(dataset.train, chosen),
  )


def limit_training(dataset: Dataset, *, train_size: int, seed: int) -> Dataset:
  """Keeps a random subset of the training images.

  Args:
    dataset: the data set, which is not modified.
    train_size: number of images to keep; 0 keeps all.
    seed: the same seed chooses the same images; a larger `train_size` keeps
      them and adds more.

  Returns:
    The data set with the smaller split, in the original order.

  Raises:
    UserError: `train_size` is negative or exceeds the number of training
      images.

  Examples:
    >>> from capsjax.data import limit_training, load_digits
    >>> dataset = limit_training(load_digits(), train_size=200, seed=0)
    >>> len(dataset.train), len(dataset.test)
    (200, 360)
  """
  size = len(dataset.train)
  if not train_size:
    return dataset
  if not 0 <= train_size <= size:
    raise UserError(
      f'train_size={train_size}, but {dataset.name} has {size} training images;'
      ' ask for as many or fewer, or 0 for all of them'
    )
  chosen = np.zeros(size, bool)
  chosen[np.random.default_rng(seed).permutation(size)[:train_size]] = True
  return dataclasses.replace(dataset, train=_select(dataset.train, chosen))


def _select(split: Split, chosen: np.ndarray) -> Split:
  return Split(split.images[chosen], split.labels[chosen])
