"""Coupling maps: where in an image votes for the winning class come from."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from capsjax.runs.inside import look_inside
from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import coupling_figure, coupling_map

if TYPE_CHECKING:
  import matplotlib.figure


def draw(
  trained: TrainedRun, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure | None':
  """Draws the coupling maps of test images.

  Args:
    trained: the run.
    positions: positions of the images in the test set.

  Returns:
    The figure. None if the class capsules are not routed directly from primary
    capsules, since only those have a position in the image.
  """
  experiment = trained.experiment
  # Other models, whose capsules have no position, lack this field.
  if getattr(experiment.model, 'hidden_capsules', True):
    return None
  dataset = experiment.dataset
  images = trained.inference.examples(positions).images
  inside = look_inside(trained, images)
  kernel = np.asarray(trained.params['class_capsules']['kernel'])
  each = np.arange(len(images))
  maps = coupling_map(
    inside.couplings[each, :, inside.predictions],
    np.einsum('nid,inde->nie', inside.inputs, kernel[:, inside.predictions]),
    inside.capsules[each, inside.predictions],
    inside.grid,
  )
  titles = [
    f'{dataset.class_names[label]}\n→ {dataset.class_names[prediction]}'
    for label, prediction in zip(
      dataset.test.labels[positions], inside.predictions, strict=True
    )
  ]
  return coupling_figure(images, maps, titles)
