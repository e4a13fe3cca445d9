"""Metrics on disk: `metrics.jsonl` for programs, TensorBoard for people.

A line of `metrics.jsonl` is one JSON object,

    {"step": 400, "epoch": 0.853, "train/margin_loss": 0.0213, ...}

with the same names as in TensorBoard. A number that is not finite becomes null.
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, SupportsFloat

import numpy as np
from jaxtyping import Shaped

from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


class MetricsWriter:
  """Writes the metrics of a run into its folder; a context manager.

  If the process is killed, at most the line being written is lost, and the
  TensorBoard events of a few seconds.

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
    # Takes 0.3 s, so it is not imported at the top.
    from tensorboardX import SummaryWriter

    self._path = folder.metrics.absolute()
    self._steps_per_epoch = steps_per_epoch
    with self._write_errors_for_user():
      self._path.parent.mkdir(parents=True, exist_ok=True)
      _drop_lines_after(self._path, resume_step)
      self._file = self._path.open('a', encoding='utf-8')
      self._events = SummaryWriter(
        str(self._path.parent),
        purge_step=resume_step + 1,
        flush_secs=10,
        # tensorboardX names files by the second and overwrites duplicates.
        filename_suffix=f'.{time.time_ns()}',
      )

  def write_scalars(
    self, step: int, scalars: Mapping[str, SupportsFloat]
  ) -> None:
    """Writes numbers by name, such as 'train/margin_loss'."""
    line: dict[str, Any] = {'step': step}
    if self._steps_per_epoch is not None:
      line['epoch'] = round(step / self._steps_per_epoch, 3)
    for name, value in scalars.items():
      number = float(value)
      line[name] = number if math.isfinite(number) else None
      self._events.add_scalar(name, number, step)
    with self._write_errors_for_user():
      self._file.write(json.dumps(line) + '\n')
      self._file.flush()

  def write_images(
    self, step: int, images: Mapping[str, Shaped[np.ndarray, 'h w c']]
  ) -> None:
    """Writes pictures by name: uint8, or float in [0, 1]; 1 or 3 channels."""
    for name, image in images.items():
      if image.dtype != np.uint8:
        image = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
      self._events.add_image(name, image, step, dataformats='HWC')

  def close(self) -> None:
    """Writes pending events and closes the files."""
    self._events.close()
    self._file.close()

  def __enter__(self) -> 'MetricsWriter':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  @contextmanager
  def _write_errors_for_user(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise UserError(
        f'cannot write {self._path}: {error.strerror}; make room or choose '
        'another --workdir'
      ) from error


class NullWriter:
  """Stands in for a `MetricsWriter` and writes nothing."""

  def write_scalars(
    self, step: int, scalars: Mapping[str, SupportsFloat]
  ) -> None:
    """Does nothing."""

  def write_images(
    self, step: int, images: Mapping[str, Shaped[np.ndarray, 'h w c']]
  ) -> None:
    """Does nothing."""

  def close(self) -> None:
    """Does nothing."""

  def __enter__(self) -> 'NullWriter':
    return self

  def __exit__(self, *_: object) -> None:
    pass


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
