"""Leaving a long run cleanly on Ctrl-C or SIGTERM."""

import signal
import types
from collections.abc import Callable
from typing import Any


class StopRequest:
  """Notes the first SIGINT or SIGTERM; a second one ends the process.

  A context manager; truthy once a stop was asked for. Outside the main thread,
  where signals cannot be caught, it never is.

  Args:
    notify: called with a line for the person who asked.
  """

  def __init__(self, notify: Callable[[str], None]) -> None:
    self._notify = notify
    self._stopped = False
    self._previous: dict[int, Any] = {}

  def __bool__(self) -> bool:
    return self._stopped

  def __enter__(self) -> 'StopRequest':
    for number in (signal.SIGINT, signal.SIGTERM):
      try:
        self._previous[number] = signal.signal(number, self._stop)
      except ValueError:  # Not the main thread.
        break
    return self

  def __exit__(self, *_: object) -> None:
    self._restore()

  def _stop(self, number: int, frame: types.FrameType | None) -> None:
    del frame
    self._stopped = True
    self._restore()
    name = signal.Signals(number).name
    self._notify(f'{name}: saving and leaving; once more to leave at once')

  def _restore(self) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()
