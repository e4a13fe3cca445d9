"""Reconstructions of test images from perturbed class capsules."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import perturb_capsules, perturbation_figure

if TYPE_CHECKING:
  import matplotlib.figure


def draw(
  trained: TrainedRun, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure':
  """Draws reconstructions of test images from perturbed class capsules.

  Args:
    trained: the run.
    positions: positions of the images in the test set.
  """
  experiment, dataset = trained.experiment, trained.experiment.dataset
  pictures, labels = experiment.config.pictures, dataset.test.labels[positions]
  limit = pictures.perturbation_range
  offsets = np.linspace(-limit, limit, pictures.perturbation_steps)
  capsules = trained.inference.apply(trained.variables, positions).capsules
  chosen = capsules[np.arange(len(labels)), labels]
  perturbed = perturb_capsules(chosen, offsets)
  shape = perturbed.shape[:3]
  # Only the capsule of the label is decoded, so the others are arbitrary.
  everywhere = np.broadcast_to(
    perturbed[..., None, :], (*shape, *capsules.shape[1:])
  )
  decoded = trained.inference.decode(
    trained.params,
    everywhere.reshape(-1, *capsules.shape[1:]),
    np.repeat(labels, shape[1] * shape[2]),
  )
  titles = [
    f'class {dataset.class_names[label]}, test image {position}'
    for label, position in zip(labels, positions, strict=True)
  ]
  return perturbation_figure(
    decoded.reshape(*shape, *decoded.shape[1:]), offsets, titles
  )
