"""Test images of two objects above the reconstructions of each."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import overlap_figure

if TYPE_CHECKING:
  import matplotlib.figure


def draw(
  trained: TrainedRun, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure':
  """Draws test examples above the reconstructions of their two objects.

  Args:
    trained: a run on images of two objects.
    positions: positions of the examples in the test set.
  """
  batch = trained.inference.examples(positions)
  output = trained.inference.apply(trained.variables, positions)
  labels = _two_highest(batch.targets)
  predictions = _two_highest(output.scores)

  def decode(pairs):
    first, second = (
      trained.inference.decode(trained.params, output.capsules, pairs[:, k])
      for k in (0, 1)
    )
    return np.stack([first, second], 1)

  # The class of the first object, and the class with the lowest score.
  absent = np.stack([labels[:, 0], output.scores.argmin(-1)], 1)
  return overlap_figure(
    batch.images,
    batch.objects.images,
    labels,
    predictions,
    by_prediction=decode(predictions),
    by_label=decode(labels),
    absent=absent,
    by_absent=decode(absent),
    class_names=trained.experiment.dataset.class_names,
  )


def _two_highest(scores):
  return np.sort(np.argsort(-scores, -1, kind='stable')[:, :2], -1)
