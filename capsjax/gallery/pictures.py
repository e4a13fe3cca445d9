"""What the commands that draw have in common."""

from pathlib import Path
from typing import TYPE_CHECKING

from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.trained_run import TrainedRun

if TYPE_CHECKING:
  import matplotlib.figure

_DOTS_PER_INCH = 120


def has_decoder(trained: TrainedRun) -> bool:
  """Whether the model of a run can reconstruct."""
  return getattr(trained.experiment.model, 'has_decoder', False)


def require_decoder(trained: TrainedRun) -> None:
  """Refuses a run whose model cannot reconstruct.

  Raises:
    UserError: if it has no decoder.
  """
  if not has_decoder(trained):
    raise UserError(
      f'the model of {trained.folder} has no decoder, so there is no '
      'reconstruction to draw; train a CapsNet with '
      '--config.model.has_decoder=True in a new --workdir'
    )


def require_single_objects(trained: TrainedRun) -> None:
  """Refuses a run on images that show several objects.

  Raises:
    UserError: if there are several.
  """
  if trained.experiment.examples.num_objects > 1:
    raise UserError(
      f'the images of {trained.folder} show several objects, and this is for '
      'one; see them with reconstruct or report'
    )


def save_figure(figure: 'matplotlib.figure.Figure', path: Path) -> Path:
  """Writes a PNG file and tells where it is.

  The same figure, made anew, gives the same bytes.

  Args:
    figure: what to write.
    path: the file; its folder is made if absent.

  Returns:
    The file.
  """
  # Without the name and version of the program, which differ by machine.
  write_file(
    path,
    lambda file: figure.savefig(
      file, format='png', dpi=_DOTS_PER_INCH, metadata={'Software': None}
    ),
  )
  print(f'written to {path}')
  return path
