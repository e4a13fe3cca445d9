"""The metrics of a run in `metrics.jsonl`.

A line is one JSON object,

    {"step": 400, "epoch": 0.853, "train/margin_loss": 0.0213, ...}

with the same names as in TensorBoard. A number that is not finite becomes null.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


class MetricsFile:
  """Writes metrics as lines of JSON, but no pictures; a `Writer`.

  If the process is killed, at most the line being written is lost.

  Args:
    folder: the folder of the run; created if needed.
    resume_step: the step that the run resumes from. Metrics of later steps are
      dropped, because the run will write them again.
    steps_per_epoch: if given, every line includes its epoch.

  Raises:
    UserError: (here or in a later call) if the folder cannot be written.
  """

  def __init__(
    self,
    folder: RunFolder,
    *,
    resume_step: int = 0,
    steps_per_epoch: int | None = None,
  ) -> None:
    self._folder = folder
    self._steps_per_epoch = steps_per_epoch
    path = folder.metrics.absolute()
    with folder.writes_told():
      path.parent.mkdir(parents=True, exist_ok=True)
      _drop_lines_after(path, resume_step)
      self._file = path.open('a', encoding='utf-8')

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes a line and hands it to the system."""
    line: dict[str, Any] = {'step': step}
    if self._steps_per_epoch is not None:
      line['epoch'] = round(step / self._steps_per_epoch, 3)
    for name, number in scalars.items():
      line[name] = number if math.isfinite(number) else None
    with self._folder.writes_told():
      self._file.write(json.dumps(line) + '\n')
      self._file.flush()

  def write_images(
    self, step: int, images: Mapping[str, UInt8[np.ndarray, 'h w c']]
  ) -> None:
    """Does nothing."""

  def close(self) -> None:
    """Closes the file."""
    self._file.close()


def _drop_lines_after(path: Path, step: int) -> None:
  """Atomically drops incomplete lines and lines after `step`."""
  if not path.exists():
    return
  old = path.read_bytes()
  lines = old.splitlines(keepends=True)
  new = b''.join(
    line
    for line in lines
    if (found := read_line(line)) and found['step'] <= step
  )
  if new != old:
    write_file(path, new)


def read_line(line: bytes) -> dict[str, Any] | None:
  """Parses a line of `metrics.jsonl`.

  Args:
    line: the line, including its line break.

  Returns:
    The numbers by name, or None if the line is damaged or incomplete.
  """
  try:
    found = json.loads(line)
  except ValueError:
    return None
  is_metrics = isinstance(found, dict) and isinstance(found.get('step'), int)
  return found if is_metrics and line.endswith(b'\n') else None
