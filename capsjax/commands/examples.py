"""Which test images to show."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Int, Integer
from tqdm import tqdm

from capsjax.commands.trained import Trained


def first_right_and_wrong(
  trained: Trained, count: int
) -> Int[np.ndarray, ' n']:
  """The first test images predicted right, then the first predicted wrong.

  Args:
    trained: the run.
    count: how many of each kind; fewer where the set has no more.

  Returns:
    Their positions in the test set.
  """
  is_right = _predict_until(
    trained, lambda is_right: min(is_right.sum(), (~is_right).sum()) >= count
  )
  right, wrong = np.flatnonzero(is_right), np.flatnonzero(~is_right)
  return np.concatenate([right[:count], wrong[:count]])


def first_of_each_class(trained: Trained) -> Int[np.ndarray, ' n']:
  """The first test image of each class that is predicted right.

  Args:
    trained: the run.

  Returns:
    As `one_of_each_class`.
  """
  labels = trained.experiment.dataset.test.labels
  classes = set(labels)
  is_right = _predict_until(
    trained,
    lambda is_right: set(labels[: len(is_right)][is_right]) == classes,
  )
  return one_of_each_class(labels, is_right)


def one_of_each_class(
  labels: Integer[np.ndarray, ' n'], is_right: Bool[np.ndarray, ' seen']
) -> Int[np.ndarray, ' classes']:
  """The first image of each class that is predicted right.

  Where none is, the first of the class; a class without images is left out.

  Args:
    labels: the classes.
    is_right: whether each of the first images is predicted right.

  Returns:
    Positions, by class.
  """
  classes, first = np.unique(labels, return_index=True)
  right = np.flatnonzero(is_right)
  found, first_right = np.unique(labels[right], return_index=True)
  first[np.isin(classes, found)] = right[first_right]
  return first


def _predict_until(
  trained: Trained, is_enough: Callable[[Bool[np.ndarray, ' n']], bool]
) -> Bool[np.ndarray, ' n']:
  """Which of the first test images are predicted right, until it is enough."""
  test = trained.experiment.dataset.test
  is_right = np.zeros(0, bool)
  with tqdm(
    total=len(test), unit='image', leave=False, disable=None
  ) as progress:
    for output in trained.experiment.apply_in_batches(
      trained.params, test.images
    ):
      predictions = output.scores.argmax(-1)
      labels = test.labels[len(is_right) :][: len(predictions)]
      is_right = np.append(is_right, predictions == labels)
      progress.update(len(predictions))
      if is_enough(is_right):
        break
  return is_right
