"""Chooses and orders the images of a data set, by a seed."""

import dataclasses

import numpy as np

from capsjax.data.dataset import Dataset, Split
from capsjax.errors import UserError


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


def mix_classes(dataset: Dataset, *, seed: int) -> Dataset:
  """Shuffles the test images if they are sorted by class.

  Otherwise, pictures of the first test images would show one class only.

  Args:
    dataset: the data set, which is not modified.
    seed: the same seed gives the same order.

  Returns:
    The data set with the test split in a random order, or as it is if its
    classes are mixed already.

  Examples:
    >>> import numpy as np
    >>> from capsjax import dataset_from_arrays
    >>> from capsjax.data import mix_classes
    >>> pictures = np.zeros((6, 28, 28)), np.array([0, 0, 0, 1, 1, 1])
    >>> dataset = dataset_from_arrays(pictures, pictures)
    >>> mixed = mix_classes(dataset, seed=0).test.labels
    >>> bool(np.any(np.diff(mixed) < 0))
    True
  """
  labels = dataset.test.labels
  if np.any(np.diff(labels) < 0):
    return dataset
  order = np.random.default_rng(seed).permutation(len(labels))
  return dataclasses.replace(dataset, test=_select(dataset.test, order))


def _select(split: Split, chosen: np.ndarray) -> Split:
  return Split(split.images[chosen], split.labels[chosen])
