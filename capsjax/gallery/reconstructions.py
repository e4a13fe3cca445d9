"""Test images above their reconstructions."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import reconstruction_figure

if TYPE_CHECKING:
  import matplotlib.figure


def draw(
  trained: TrainedRun, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure':
  """Draws test images above their reconstructions.

  Args:
    trained: the run.
    positions: positions of the images in the test set.
  """
  dataset, params = trained.experiment.dataset, trained.params
  labels, inference = dataset.test.labels[positions], trained.inference
  output = inference.apply(trained.variables, positions)
  predictions = output.scores.argmax(-1)
  return reconstruction_figure(
    inference.examples(positions).images,
    labels,
    predictions,
    by_prediction=inference.decode(params, output.capsules, predictions),
    by_label=inference.decode(params, output.capsules, labels),
    class_names=dataset.class_names,
  )
