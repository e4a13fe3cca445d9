"""The one exception that is the user's to mend, and words for its line."""

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class UserError(Exception):
  """A mistake of the user's, or a thing that is missing.

  Its text is one line that says what is wrong and what to do about it.
  `capsjax.main` prints that line and exits with status 2; code that imports
  capsjax may catch it.
  """


@contextmanager
def memory_told() -> Iterator[None]:
  """Tells what to do if there is not enough memory for what is done inside.

  Raises:
    UserError: in place of Python's error or JAX's.
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
      '--config.batch_size; for large images a smaller --config.images.size '
      'or --config.model.max_primary_capsules; for very many of them '
      '--config.stream_images=True'
    ) from error


def one_line(error: BaseException) -> str:
  """An error's text without line breaks, or its type if it has none."""
  return ' '.join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
  """The start of an error's long text, or its type if it has none."""
  return str(error).strip().partition('\n')[0][:120] or type(error).__name__


def nearest(name: str, options: Iterable[str]) -> list[str]:
  """At most three of the options that look like a mistyped name."""
  return difflib.get_close_matches(name, sorted(options), n=3, cutoff=0.5)


def did_you_mean(name: str, options: Iterable[str]) -> str:
  """A question that offers the names nearest to a wrong one, or all of them."""
  offered = nearest(name, options) or sorted(options)
  return f'did you mean {" or ".join(offered)}?'
