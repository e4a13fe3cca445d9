"""Helpers for the commands that draw."""

from pathlib import Path
from typing import TYPE_CHECKING

from capsjax import console
from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.trained_run import TrainedRun

if TYPE_CHECKING:
  import matplotlib.figure

_DOTS_PER_INCH = 120


def require_decoder(trained: TrainedRun) -> None:
  """Checks that the model of a run can reconstruct images.

  Raises:
    UserError: if it has no decoder.
  """
  if not trained.has_decoder:
    raise UserError(
      f'the model of {trained.folder} has no decoder, so there is no '
      'reconstruction to draw; train a CapsNet with '
      '--config.model.has_decoder=True in a new --workdir'
    )


def require_single_objects(trained: TrainedRun) -> None:
  """Checks that each image of a run shows one object.

  Raises:
    UserError: if images show several objects.
  """
  if trained.experiment.examples.num_objects > 1:
    raise UserError(
      f'the images of {trained.folder} show several objects, but this command '
      'supports only one; use reconstruct or report'
    )


def save_figure(figure: 'matplotlib.figure.Figure', path: Path) -> Path:
  """Writes a figure as a PNG file and prints its path.

  The same figure always gives the same bytes.

  Args:
    figure: the figure to write.
    path: the file; its folder is created if needed.

  Returns:
    The path of the file.
  """
  # Leaves out the name and version of the program, which differ by machine.
  write_file(
    path,
    lambda file: figure.savefig(
      file, format='png', dpi=_DOTS_PER_INCH, metadata={'Software': None}
    ),
  )
  console.say(f'written to {path}')
  return path
