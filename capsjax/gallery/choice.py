"""Chooses which test images to show."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int, Integer
from tqdm import tqdm

from capsjax import console
from capsjax.runs.trained_run import TrainedRun


def first_right_and_wrong(
  trained: TrainedRun, count: int
) -> Int[np.ndarray, ' n']:
  """Returns the first correct, then the first misclassified, test images.

  Args:
    trained: the run.
    count: the number of images of each kind; fewer if the test set has fewer.

  Returns:
    Positions in the test set.
  """
  is_right = _predict_until(
    trained, lambda is_right: min(is_right.sum(), (~is_right).sum()) >= count
  )
  right, wrong = np.flatnonzero(is_right), np.flatnonzero(~is_right)
  return np.concatenate([right[:count], wrong[:count]])


def first_of_each_class(trained: TrainedRun) -> Int[np.ndarray, ' n']:
  """Returns the first test image of each class that is classified correctly.

  Args:
    trained: the run.

  Returns:
    Positions in the test set, as from `one_of_each_class`.
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
  """Returns the first image of each class that is classified correctly.

  If none is, the first image of the class is returned. A class without images
  is left out.

  Args:
    labels: the classes.
    is_right: whether each of the first images is classified correctly.

  Returns:
    Positions, in the order of the classes.
  """
  classes, first = np.unique(labels, return_index=True)
  right = np.flatnonzero(is_right)
  found, first_right = np.unique(labels[right], return_index=True)
  first[np.isin(classes, found)] = right[first_right]
  return first


def all_predicted(
  scores: Float[np.ndarray, 'n num_classes'],
  targets: Float[np.ndarray, 'n num_classes'],
) -> Bool[np.ndarray, ' n']:
  """Returns whether the classes of each example have the highest scores.

  Args:
    scores: the score of each class.
    targets: 1 for each class that is present; every example has the same number
      of classes.
  """
  count = int(targets[0].sum())
  highest = np.argsort(-scores, -1, kind='stable')[:, :count]
  return np.all(np.take_along_axis(targets, highest, -1), axis=-1)


def _predict_until(
  trained: TrainedRun, is_enough: Callable[[Bool[np.ndarray, ' n']], bool]
) -> Bool[np.ndarray, ' n']:
  """Returns which of the first images are correct, until `is_enough`."""
  experiment = trained.experiment
  is_right = np.zeros(0, bool)
  with tqdm(
    total=experiment.test_size,
    unit='image',
    leave=False,
    disable=console.hides_bar(),
  ) as progress:
    for output, targets in trained.inference.apply_in_batches(
      trained.variables
    ):
      found = all_predicted(output.scores, targets)
      is_right = np.append(is_right, found)
      progress.update(len(targets))
      if is_enough(is_right):
        break
  return is_right
