"""Stops a long run cleanly on Ctrl-C or SIGTERM."""

import os
import signal
import types
from typing import Any

_STDERR = 2


class StopRequest:
  """Records the first SIGINT or SIGTERM; a second one ends the process.

  A context manager that becomes truthy once a stop is requested. Outside the
  main thread, signals cannot be caught and it never becomes truthy.

  Attributes:
    signal: the signal, or None.
  """

  def __init__(self) -> None:
    self.signal: signal.Signals | None = None
    self._previous: dict[int, Any] = {}

  def __bool__(self) -> bool:
    return self.signal is not None

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
    self.signal = signal.Signals(number)
    self._restore()
    # Not print, which the signal may have interrupted.
    line = (
      f'\n{self.signal.name}: saving and leaving; once more to leave at once\n'
    )
    os.write(_STDERR, line.encode())

  def _restore(self) -> None:
    for number, handler in self._previous.items():
      signal.signal(number, handler)
    self._previous.clear()
