"""What every reader returns: a data set as arrays in the host's memory."""

import dataclasses

import numpy as np
from jaxtyping import Int32, Integer, UInt8

from capsjax.errors import UserError


# eq=False: `==` of arrays is an array, so a generated __eq__ would raise.
@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """Images and the class of each.

  Attributes:
    images: uint8 of shape [n, h, w, c], 0 to 255.
    labels: int32 of shape [n], from 0.
  """

  images: UInt8[np.ndarray, 'n h w c']
  labels: Int32[np.ndarray, ' n']

  def __len__(self) -> int:
    return len(self.labels)


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
  """A data set: training, test and perhaps validation images of one size.

  Attributes:
    name: the name it was asked for by.
    train: what to learn from.
    test: what the reported error is measured on, never to choose by.
    validation: what to choose by, or None.
    num_classes: labels are 0 to num_classes - 1.
    class_names: what the classes are called; by their numbers if not given.

  Raises:
    UserError: the splits hold images of different sizes, or there are not as
      many names as classes.
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
        ' classes; give each class one'
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
  """Makes a split of arrays that came from outside.

  Args:
    images: uint8 of shape [n, h, w, c].
    labels: any integer type, of shape [n].
    num_classes: labels must be 0 to num_classes - 1.
    source: where the arrays come from, for the message.

  Returns:
    The split.

  Raises:
    UserError: there are no images, another number of labels than images, or a
      label out of range.
  """
  if len(images) != len(labels):
    raise UserError(
      f'{source}: {len(images)} images but {len(labels)} labels;'
      ' the files do not belong together, get both again'
    )
  if not len(images):
    raise UserError(f'{source}: there are no images in it; get it again')
  if labels.min() < 0 or labels.max() >= num_classes:
    raise UserError(
      f'{source}: labels run from {labels.min()} to {labels.max()}, but must'
      f' lie in 0 to {num_classes - 1}; use a set with a label for every image'
    )
  return Split(images, labels.astype(np.int32))


def hold_out(dataset: Dataset, *, validation_size: int, seed: int) -> Dataset:
  """Moves a random part of the training images to the validation split.

  Args:
    dataset: the data set; unchanged.
    validation_size: how many images to move; 0 leaves everything as it is.
    seed: the same seed chooses the same images.

  Returns:
    The data set with the new splits, each in the old order.

  Raises:
    UserError: `validation_size` is negative or leaves no training image, or
      the set has a validation split of its own.
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
      f'{dataset.name} has a validation split of its own'
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
  """Leaves a random part of the training images.

  Args:
    dataset: the data set; unchanged.
    train_size: how many to leave; 0 for all.
    seed: the same seed chooses the same images, and more of them with them.

  Returns:
    The data set with the smaller split, in the old order.

  Raises:
    UserError: it is negative, or there are not so many.
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
