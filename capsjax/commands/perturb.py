"""The command `perturb`: what the dimensions of class capsules stand for."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from ml_collections import ConfigDict

from capsjax.gallery.choice import first_of_each_class
from capsjax.gallery.pictures import (
  require_decoder,
  require_single_objects,
  save_figure,
)
from capsjax.runs.trained import Trained
from capsjax.visualization import perturb_capsules, perturbation_figure

if TYPE_CHECKING:
  import matplotlib.figure


def run(
  config: ConfigDict, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `pictures/perturbations.png`, and a picture for each image in it.

  There is one test image of every class, the first that is predicted right,
  or the first of the class if none is.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder that is written to.

  Returns:
    The file with all classes.

  Raises:
    UserError: if there is no such run or checkpoint, no decoder, or images of
      several objects.
  """
  trained = Trained.open(config, workdir, checkpoint_name=checkpoint_name)
  require_decoder(trained)
  require_single_objects(trained)
  chosen = first_of_each_class(trained)
  labels = trained.experiment.dataset.test.labels
  for position in chosen:
    figure = draw(trained, np.array([position]))
    save_figure(figure, output, f'perturbations_{labels[position]}.png')
  return save_figure(draw(trained, chosen), output, 'perturbations.png')


def draw(
  trained: Trained, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure':
  """Draws the capsules of some test images, changed by dimension and offset.

  Args:
    trained: the run.
    positions: of the images in the test set.
  """
  experiment, dataset = trained.experiment, trained.experiment.dataset
  pictures, labels = experiment.config.pictures, dataset.test.labels[positions]
  limit = pictures.perturbation_range
  offsets = np.linspace(-limit, limit, pictures.perturbation_steps)
  capsules = trained.inference.apply(trained.params, positions).capsules
  chosen = capsules[np.arange(len(labels)), labels]
  perturbed = perturb_capsules(chosen, offsets)
  shape = perturbed.shape[:3]
  # Only the capsule of the label is decoded: the others may be anything.
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
