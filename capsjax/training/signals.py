"""Leaving a long run cleanly on Ctrl-C or SIGTERM."""

import os
import signal
import types
from typing import Any

_STDERR = 2


class StopRequest:
  """Notes the first SIGINT or SIGTERM; a second one ends the process.

  A context manager; truthy once a stop was asked for. Outside the main thread,
  where signals cannot be caught, it never is.
  """

  def __init__(self) -> None:
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
    # Not print: a signal may come in the middle of one.
    line = f'\n{name}: saving and leaving; once more to leave at once\n'
    os.write(_STDERR, line.encode())

  def _restore(self) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()
