"""The command `perturb`: what each capsule dimension encodes."""

from pathlib import Path

import numpy as np

from capsjax.commands.pictures import (
  require_decoder,
  require_single_objects,
  save_figure,
)
from capsjax.errors import require_extra
from capsjax.gallery import perturbations
from capsjax.gallery.choice import first_of_each_class
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `pictures/perturbations.png`, and one more picture per class.

  Each class is shown by its first test image that is classified correctly, or
  by its first test image if none is.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.

  Returns:
    The path of the picture with all classes.

  Raises:
    UserError: if there is no such run or checkpoint, the network has no
      decoder, or the images show several objects.
  """
  require_extra('pages')
  trained = TrainedRun.open(
    workdir, config=config, checkpoint_name=checkpoint_name
  )
  require_decoder(trained)
  require_single_objects(trained)
  chosen = first_of_each_class(trained)
  folder = RunFolder(output)
  labels = trained.experiment.dataset.test.labels
  for position in chosen:
    figure = perturbations.draw(trained, np.array([position]))
    save_figure(figure, folder.picture(f'perturbations_{labels[position]}'))
  figure = perturbations.draw(trained, chosen)
  return save_figure(figure, folder.picture('perturbations'))
