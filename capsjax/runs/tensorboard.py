"""The metrics, pictures and hyperparameters of a run for TensorBoard."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.runs.folder import RunFolder

_EVENTS = 'events.out.tfevents'
_HYPERPARAMETERS = '.hparams'


class TensorBoardWriter:
  """Writes events into the folder of a run; a `Writer`.

  If the process is killed, the events of a few seconds are lost.

  Args:
    folder: the folder of the run; created if needed.
    resume_step: the step that the run resumes from. Later events are hidden,
      because the run will write them again.
    hyperparameters: if given, the row of the run in the tab HParams.
    results: the names of the metrics in that row, whose last values it shows.

  Raises:
    UserError: if the folder cannot be written.
  """

  def __init__(
    self,
    folder: RunFolder,
    *,
    resume_step: int = 0,
    hyperparameters: Mapping[str, Any] | None = None,
    results: Sequence[str] = (),
  ) -> None:
    # Takes 0.3 s, so it is not imported at the top.
    from tensorboardX import SummaryWriter

    path = folder.path.absolute()
    with folder.writes_told():
      path.mkdir(parents=True, exist_ok=True)
      if hyperparameters:
        _replace_hyperparameters(path, hyperparameters, results)
      self._events = SummaryWriter(
        str(path),
        purge_step=resume_step + 1,
        flush_secs=10,
        filename_suffix=_unique_suffix(),
      )

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Adds one event per number."""
    for name, number in scalars.items():
      self._events.add_scalar(name, number, step)

  def write_images(
    self, step: int, images: Mapping[str, UInt8[np.ndarray, 'h w c']]
  ) -> None:
    """Adds one event per picture."""
    for name, image in images.items():
      self._events.add_image(name, image, step, dataformats='HWC')

  def close(self) -> None:
    """Writes pending events and closes the file."""
    self._events.close()


def _replace_hyperparameters(
  path: Path, hyperparameters: Mapping[str, Any], results: Sequence[str]
) -> None:
  """Writes the hyperparameters into a file of their own.

  tensorboardX's `add_hparams` would make a new subfolder at each start. And as
  TensorBoard shows the first values that it finds in a folder, those of an
  earlier start have to be deleted.
  """
  from tensorboardX.summary import hparams
  from tensorboardX.writer import FileWriter

  old = list(path.glob(f'{_EVENTS}.*{_HYPERPARAMETERS}'))
  values = {
    name: value if isinstance(value, bool | int | float | str) else repr(value)
    for name, value in hyperparameters.items()
  }
  experiment, start, _ = hparams(values, dict.fromkeys(results, 0.0))
  writer = FileWriter(
    str(path), filename_suffix=_unique_suffix() + _HYPERPARAMETERS
  )
  writer.add_summary(experiment)
  writer.add_summary(start)
  writer.close()
  for file in old:
    file.unlink()


def _unique_suffix() -> str:
  # tensorboardX names files by the second and overwrites duplicates.
  return f'.{time.time_ns()}'
