"""UserError, and helpers for its one-line message."""

import difflib
import importlib.util
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The extra of pyproject.toml that installs each optional module.
EXTRAS = {
  'argcomplete': 'completion',
  'flatbuffers': 'export',
  'jinja2': 'pages',
  'markupsafe': 'pages',
  'matplotlib': 'pages',
  'PIL': 'data',
  'pooch': 'data',
  'requests': 'data',
  'safetensors': 'export',
  'scipy': 'data',
  'sklearn': 'data',
}


class UserError(Exception):
  """A mistake that the user can correct, or something that is missing.

  The message is one line that says what is wrong and what to do about it.
  `capsjax.main` prints that line and exits with status 2; code that imports
  capsjax may catch the exception.

  Examples:
    >>> import capsjax
    >>> try:
    ...   capsjax.load('runs/misspelt')
    ... except capsjax.UserError as error:
    ...   print(error)
    runs/misspelt ...
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


def missing_of(extra: str) -> list[str]:
  """Returns the modules of an extra that are not installed."""
  modules = [name for name, owner in EXTRAS.items() if owner == extra]
  return [name for name in modules if not importlib.util.find_spec(name)]


def require_extra(extra: str) -> None:
  """Refuses to begin what would end without an extra of the package.

  Raises:
    UserError: if a module of the extra is not installed.
  """
  missing = missing_of(extra)
  if missing:
    raise UserError(_to_install(' and '.join(missing), extra))


@contextmanager
def missing_told() -> Iterator[None]:
  """Names the extra to install if a package of an extra is missing.

  Raises:
    UserError: in place of ModuleNotFoundError.
  """
  try:
    yield
  except ModuleNotFoundError as error:
    name = (error.name or '').partition('.')[0]
    if name not in EXTRAS:
      raise
    raise UserError(_to_install(name, EXTRAS[name])) from error


def _to_install(names: str, extra: str) -> str:
  return f"this needs {names}; install it: pip install 'capsjax[{extra}]'"


def one_line(error: BaseException) -> str:
  """Returns an error's text without line breaks, or its type if empty."""
  return ' '.join(str(error).split()) or type(error).__name__


def first_line(error: BaseException) -> str:
  """Returns the first line of an error's text, or its type if empty."""
  return str(error).strip().partition('\n')[0][:120] or type(error).__name__


def nearest(name: str, options: Iterable[str]) -> list[str]:
  """Returns up to three options that resemble a mistyped name, best first."""
  found = difflib.get_close_matches(name, sorted(options), n=3, cutoff=0.6)
  # Beside a slip of a finger, others are no help.
  is_slip = (
    found and difflib.SequenceMatcher(None, name, found[0]).ratio() > 0.9
  )
  return found[:1] if is_slip else found


def nearest_path(path: Path) -> Path | None:
  """Returns the existing path that resembles a mistyped one, if there is one.

  Args:
    path: any path; one that exists is returned as it is.
  """
  if path.exists():
    return path
  folder = nearest_path(path.parent)
  if folder is None or not folder.is_dir():
    return None
  names = sorted(entry.name for entry in folder.iterdir())
  near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
  return folder / near[0] if near else None


def path_hint(path: Path, otherwise: str) -> str:
  """Returns a question that suggests an existing path, or other advice."""
  near = nearest_path(path)
  return f'did you mean {near}?' if near else otherwise


def did_you_mean(name: str, options: Iterable[str]) -> str:
  """Returns a question that suggests similar names, or all if none is."""
  offered = nearest(name, options) or sorted(options)
  return f'did you mean {" or ".join(offered)}?'
