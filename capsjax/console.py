"""What the program prints besides its results, and how much of it."""

import enum
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Loudness(enum.IntEnum):
  """How much the program prints."""

  QUIET = 0
  NORMAL = 1
  VERBOSE = 2


_loudness = Loudness.NORMAL


def set_loudness(loudness: Loudness) -> None:
  """Sets how much this process prints from now on."""
  global _loudness
  _loudness = loudness


def say(line: str) -> None:
  """Prints progress or advice, unless the program is quiet."""
  if _loudness >= Loudness.NORMAL:
    print(line, flush=True)


def say_detail(line: str) -> None:
  """Prints a line if the program is verbose."""
  if is_verbose():
    print(line, flush=True)


def is_quiet() -> bool:
  """Returns whether the program prints only results, warnings and errors."""
  return _loudness == Loudness.QUIET


def is_verbose() -> bool:
  """Returns whether the program prints details and tracebacks."""
  return _loudness == Loudness.VERBOSE


def hides_bar() -> bool | None:
  """Returns tqdm's `disable`: None hides a bar where there is no terminal."""
  return True if is_quiet() else None


@contextmanager
def warnings_told() -> Iterator[None]:
  """Prints the warnings that the package logs, each as a line on stderr."""
  logger, handler = logging.getLogger('capsjax'), _Lines(logging.WARNING)
  propagates = logger.propagate
  logger.addHandler(handler)
  # Other libraries may have set up the root logger with another form.
  logger.propagate = False
  try:
    yield
  finally:
    logger.removeHandler(handler)
    logger.propagate = propagates


class _Lines(logging.Handler):
  def emit(self, record: logging.LogRecord) -> None:
    print(f'capsjax: warning: {record.getMessage()}', file=sys.stderr)
