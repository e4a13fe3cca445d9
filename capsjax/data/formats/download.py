"""The data folder, and downloads into it."""

import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence

from capsjax.errors import UserError, path_hint
from capsjax.files import cache_dir

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 18


def data_folder(data_dir: str | os.PathLike[str] | None) -> pathlib.Path:
  """Returns the folder that holds the data sets.

  Args:
    data_dir: an existing folder, or None (or '') for `capsjax/data` in the
      user's cache (`XDG_CACHE_HOME`, else `~/.cache`), which is created if
      missing.

  Raises:
    UserError: the folder does not exist, is a file, or cannot be created.
  """
  if data_dir:
    folder = pathlib.Path(data_dir).expanduser()
    if folder.is_dir():
      return folder
    trouble = 'is not a folder' if folder.exists() else 'does not exist'
    hint = 'set data_dir to an existing folder'
    if not folder.exists():
      hint = path_hint(folder, hint)
    raise UserError(f'data folder {folder} {trouble}; {hint}')
  folder = cache_dir() / 'data'
  make_folder(folder)
  return folder


def make_folder(folder: pathlib.Path) -> None:
  """Creates a data folder and its parents, unless it exists.

  Raises:
    UserError: the folder cannot be created.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f'cannot make the data folder {folder} ({error.strerror}): set data_dir'
      ' to a writable folder'
    ) from error


def sha256(path: pathlib.Path) -> str:
  """Returns the SHA-256 of a file, in hexadecimal.

  Raises:
    UserError: the file cannot be read.
  """
  try:
    return hashlib.sha256(path.read_bytes()).hexdigest()
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror}): fix that or get it again'
    ) from error


def fetch(
  checksums: Mapping[str, str],
  *,
  mirrors: Sequence[str],
  folder: pathlib.Path,
) -> None:
  """Downloads files, showing progress on stderr.

  A file gets its name only once it is complete and its checksum is right, so
  an interrupted download is never mistaken for data.

  Args:
    checksums: the SHA-256 of each file in hexadecimal, by file name.
    mirrors: URLs, each ending in '/', that hold all the files; tried in turn.
    folder: where to put the files; created if missing.

  Raises:
    UserError: no mirror has a file with the right checksum, or the folder is
      not writable.
  """
  make_folder(folder)
  for name, checksum in checksums.items():
    troubles = []
    for mirror in mirrors:
      trouble = _trouble_fetching(mirror + name, name, checksum, folder)
      if not trouble:
        break
      troubles.append(f'{mirror} {trouble}')
    else:
      names = list(checksums)
      wanted = ', '.join(names[names.index(name) :])
      raise UserError(
        f'cannot download {name} ({"; ".join(troubles)}): put {wanted} into'
        f' {folder} by hand, or use configs/digits.py, which needs no download'
      )


def _trouble_fetching(
  url: str, name: str, checksum: str, folder: pathlib.Path
) -> str:
  """Fetches one file; returns what is wrong with the mirror, '' on success."""
  import pooch
  import requests

  downloader = pooch.HTTPDownloader(
    progressbar=True, chunk_size=_CHUNK_BYTES, timeout=_TIMEOUT_SECONDS
  )
  try:
    pooch.retrieve(
      url, f'sha256:{checksum}', name, folder, downloader=downloader
    )
  except requests.HTTPError as error:
    return f'answers {getattr(error.response, "status_code", "nothing")}'
  except requests.RequestException as error:
    return f'cannot be reached ({type(error).__name__})'
  except ValueError:
    return 'sends a file with another SHA-256'
  except OSError as error:
    raise UserError(
      f'cannot write {name} into {folder} ({error.strerror}): make room or'
      ' set data_dir to another folder'
    ) from error
  return ''
