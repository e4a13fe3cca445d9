"""Figures in a JSON file, each written as soon as it is measured."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from capsjax.errors import UserError, one_line
from experiments.records import write_json


class Clock:
  """Tells how much time is left.

  Args:
    seconds: the total time, from now on.
  """

  def __init__(self, seconds: float) -> None:
    self._end = time.monotonic() + seconds

  @property
  def left(self) -> float:
    """The seconds left; 0 when time is up."""
    return max(0.0, self._end - time.monotonic())


class Figures:
  """Named figures; those already in the file are not measured again.

  Args:
    path: the file, which need not exist yet.
    clock: the time that is left.

  Raises:
    UserError: if the file is damaged.
  """

  def __init__(self, path: Path, clock: Clock) -> None:
    self._path = path
    self._clock = clock
    self._figures: dict[str, Any] = {}
    if path.is_file():
      try:
        self._figures = dict(json.loads(path.read_text()))
      except (TypeError, ValueError) as error:
        raise UserError(
          f'{path} is not a file of figures ({one_line(error)}); move it away, '
          'or choose another one with --results'
        ) from error

  def __getitem__(self, name: str) -> Any:
    return self._figures[name]

  @property
  def names(self) -> set[str]:
    """The names of the figures measured so far."""
    return set(self._figures)

  def __contains__(self, name: str) -> bool:
    return name in self._figures

  def set(self, name: str, value: Any) -> None:
    """Writes a figure, which may be any JSON value."""
    self._figures[name] = value
    write_json(self._path, self._figures)
    print(f'{name}: {json.dumps(value)}', flush=True)

  def measure(
    self, name: str, function: Callable[[], Any], *, seconds: float
  ) -> None:
    """Measures a figure that is missing, if there is time.

    A failure is printed and does not stop the other measurements: accelerator
    time is expensive, and the same command measures what is still missing.

    Args:
      name: the figure's name.
      function: measures it.
      seconds: how long that may take.
    """
    if name in self:
      return
    if self._clock.left < seconds:
      print(f'{name}: left out, with {self._clock.left:.0f} s left', flush=True)
      return
    try:
      value = function()
    except Exception as error:
      kind = type(error).__name__
      print(f'{name}: {kind}: {one_line(error)}', file=sys.stderr, flush=True)
    else:
      self.set(name, value)
