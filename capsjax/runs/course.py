"""Reads the training history of a run from `metrics.jsonl`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from capsjax.errors import UserError
from capsjax.runs.folder import RunFolder
from capsjax.runs.metrics_file import read_line
from capsjax.visualization import Curve

Line = dict[str, Any]


def read_course(folder: RunFolder) -> list[Line]:
  """Reads the metrics of a run, skipping incomplete lines.

  Args:
    folder: the folder of the run.

  Raises:
    UserError: if there are no metrics yet.
  """
  path = folder.metrics
  if not path.is_file():
    raise UserError(f'{folder} has no {path.name} yet; train it first')
  lines = path.read_bytes().splitlines(keepends=True)
  course = [found for line in lines if (found := read_line(line))]
  if not course:
    raise UserError(
      f'{path} is still empty; train the run for some steps first'
    )
  return course


def curve(course: Sequence[Line], name: str) -> Curve:
  """Returns one metric by epoch; empty if it was never written."""
  found = [r for r in course if r.get(name) is not None]
  return Curve(
    np.array([r['epoch'] for r in found], float),
    np.array([r[name] for r in found], float),
  )


def error_curve(course: Sequence[Line]) -> Curve:
  """Returns the test error in percent by epoch."""
  epochs, accuracies = curve(course, 'test/accuracy')
  return Curve(epochs, 100 * (1 - accuracies))


def training_seconds(course: Sequence[Line], batch_size: int) -> float:
  """Computes the time that the steps took from their logged speeds."""
  seconds, last_step = 0.0, 0
  for line in course:
    speed = line.get('train/images_per_second')
    if speed is not None:
      steps, last_step = line['step'] - last_step, line['step']
      seconds += steps * batch_size / speed if speed else 0.0
  return seconds
