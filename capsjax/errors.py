"""UserError, and helpers for its one-line message."""

import difflib
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
  """A mistake that the user can correct, or something that is missing.

  The message is one line that says what is wrong and what to do about it.
  `capsjax.main` prints that line and exits with status 2; code that imports
  capsjax may catch the exception.
  """


@contextmanager
def memory_told() -> Iterator[None]:
  """Turns out-of-memory errors into advice on how to save memory.

  Raises:
    UserError: in place of Python's or JAX's out-of-memory error.
  """
  try:
    yield
  except MemoryError as error:
    raise UserError(
      f'too little memory ({first_line(error)}); try a smaller '
      '--config.images.size or --config.train_size'
    ) from error
  except RuntimeError as error:
    if 'RESOURCE_EXHAUSTED' not in str(error):
      raise
    raise UserError(
      f'the device has too little memory ({first_line(error)}); try a smaller '
      '--config.batch_size; for large images, a smaller --config.images.size '
      'or --config.model.max_primary_capsules; for a large data set, '
      '--config.stream_images=True'
    ) from error


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


def one_line(error: BaseException) -> str:
  """Returns an error's text without line breaks, or its type if empty."""
  return ' '.join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
  """Returns the first line of an error's text, or its type if empty."""
  return str(error).strip().partition('\n')[0][:120] or type(error).__name__


def nearest(name: str, options: Iterable[str]) -> list[str]:
  """Returns up to three options that resemble a mistyped name."""
  return difflib.get_close_matches(name, sorted(options), n=3, cutoff=0.5)


def did_you_mean(name: str, options: Iterable[str]) -> str:
  """Returns a question that suggests similar names, or all if none is."""
  offered = nearest(name, options) or sorted(options)
  return f'did you mean {" or ".join(offered)}?'
