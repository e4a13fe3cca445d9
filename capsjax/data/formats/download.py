"""The folder that data lie in, and the files that are fetched into it."""

import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence

from capsjax.errors import UserError
from capsjax.files import cache_dir

_TIMEOUT_SECONDS = 30
_CHUNK_BYTES = 1 << 18


def data_folder(data_dir: str | os.PathLike[str] | None) -> pathlib.Path:
  """Returns the folder that holds the data sets.

  Args:
    data_dir: a folder that exists, or None (or '') for `capsjax/data` in the
      user's cache (`XDG_CACHE_HOME`, else `~/.cache`), which is made if need
      be.

  Raises:
    UserError: the folder does not exist, is a file, or cannot be made.
  """
  if data_dir:
    folder = pathlib.Path(data_dir).expanduser()
    if folder.is_dir():
      return folder
    trouble = 'is not a folder' if folder.exists() else 'does not exist'
    raise UserError(
      f'data folder {folder} {trouble}: name one that exists in data_dir'
    )
  folder = cache_dir() / 'data'
  make_folder(folder)
  return folder


def make_folder(folder: pathlib.Path) -> None:
  """Makes a folder for data, with those above it, unless it is there.

  Raises:
    UserError: it cannot be made.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise UserError(
      f'cannot make the data folder {folder} ({error.strerror}): name one that'
      ' can be written to in data_dir'
    ) from error


def sha256(path: pathlib.Path) -> str:
  """Returns the SHA-256 of a file, in hex.

  Raises:
    UserError: the file cannot be read.
  """
  try:
    return hashlib.sha256(path.read_bytes()).hexdigest()
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror}): mend that or get it again'
    ) from error


def fetch(
  checksums: Mapping[str, str],
  *,
  mirrors: Sequence[str],
  folder: pathlib.Path,
) -> None:
  """Downloads files, showing progress on stderr.

  A file gets its name only when it is whole and its checksum is right, so a
  download that is cut off never looks like data.

  Args:
    checksums: SHA-256 in hex of each file, by name.
    mirrors: URLs, each ending in '/', that hold all the files; tried in turn.
    folder: where the files go; made if need be.

  Raises:
    UserError: no mirror gives a file with the right checksum, or the folder
      cannot be written to.
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
  """Fetches one file; returns what is wrong with the mirror, '' if nothing."""
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
      ' name another folder in data_dir'
    ) from error
  return ''
