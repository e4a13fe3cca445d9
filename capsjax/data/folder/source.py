"""Finds the user's files, in a folder or an archive."""

import dataclasses
import os
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator

from capsjax.data.folder.archive import (
  list_tar,
  list_zip,
  read_tar,
  read_zip,
)
from capsjax.data.folder.names import (
  is_ignored,
  is_picture,
  warn_of_skipped,
)
from capsjax.data.folder.picture import KINDS
from capsjax.errors import UserError, path_hint

_TAR_SUFFIXES = ('.tar', '.tar.gz', '.tgz')
_ZIP_SUFFIXES = ('.zip',)
_SUFFIXES = (*_TAR_SUFFIXES, *_ZIP_SUFFIXES)
# Deeper than any class folder; bounds the recursion if links form a cycle.
_MAX_DEPTH = 8


@dataclasses.dataclass(frozen=True)
class Source:
  """A folder or an archive.

  Attributes:
    path: the folder or archive.
    list_names: given `path`, yields the paths of its files and folders,
      relative to it, with '/' between their parts; those of folders end in '/'.
    read_files: given `path` and some of these names, yields names and contents
      in whichever order is fastest.
  """

  path: pathlib.Path
  list_names: Callable[[pathlib.Path], Iterator[str]]
  read_files: Callable[
    [pathlib.Path, Collection[str]], Iterator[tuple[str, bytes]]
  ]

  def names(self) -> Iterator[str]:
    """Yields the paths of all files and folders."""
    return self.list_names(self.path)

  def files(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
    """Yields the names and contents of some files, in any order."""
    return self.read_files(self.path, names)


def find_source(data_dir: str | os.PathLike[str]) -> Source:
  """Finds the user's pictures.

  Args:
    data_dir: a folder, an archive, or a folder that holds one archive and no
      pictures.

  Returns:
    The folder or the archive.

  Raises:
    UserError: the path does not exist, is neither a folder nor an archive, or
      is a folder with several archives.
  """
  path = pathlib.Path(data_dir).expanduser()
  if not path.exists():
    hint = 'set data_dir to the folder or archive of your pictures'
    raise UserError(f'{path} does not exist; {path_hint(path, hint)}')
  if not path.is_dir():
    return _archive(path)
  archives = [
    name for name in _list_folder(path, max_depth=0) if _is_archive(name)
  ]
  if not archives or any(map(is_picture, _list_folder(path))):
    return Source(path, _list_folder, _read_folder)
  if len(archives) > 1:
    raise UserError(
      f'{path} holds several archives ({", ".join(sorted(archives))}): set'
      ' data_dir to one of them'
    )
  return _archive(path / archives[0])


def find_files(paths: Iterable[pathlib.Path]) -> Source:
  """Makes a source of picture files at any paths.

  Files of other kinds in a folder are skipped with a warning.

  Args:
    paths: files, and folders whose pictures are all included.

  Returns:
    A source whose names are paths relative to the current folder.

  Raises:
    UserError: a path does not exist, or a folder holds no pictures.
  """
  found: dict[str, None] = {}
  for path in paths:
    if not path.exists():
      hint = path_hint(path, 'name a picture or a folder')
      raise UserError(f'{path} does not exist; {hint}')
    if not path.is_dir():
      found[str(path)] = None
      continue
    inside = list(_list_folder(path))
    names = sorted(filter(is_picture, inside))
    if not names:
      raise UserError(
        f'{path} holds no pictures ({KINDS}): name another folder'
      )
    warn_of_skipped(inside, path)
    found |= dict.fromkeys(str(path / name) for name in names)
  return Source(pathlib.Path(), lambda _: iter(found), _read_folder)


def _is_archive(name: str) -> bool:
  return name.lower().endswith(_SUFFIXES)


def _archive(path: pathlib.Path) -> Source:
  name = path.name.lower()
  if name.endswith(_ZIP_SUFFIXES):
    return Source(path, list_zip, read_zip)
  if name.endswith(_TAR_SUFFIXES):
    return Source(path, list_tar, read_tar)
  raise UserError(
    f'{path} is neither a folder nor named as an archive'
    f' ({", ".join(_SUFFIXES)}): set data_dir to a folder or archive'
  )


def _list_folder(
  path: pathlib.Path, *, parent: str = '', max_depth: int = _MAX_DEPTH
) -> Iterator[str]:
  try:
    entries = list(os.scandir(path / parent))
  except OSError as error:
    raise UserError(
      f'cannot read the folder {path / parent} ({error.strerror}): fix that'
      ' or move it away'
    ) from error
  for entry in entries:
    if is_ignored(entry.name):
      continue
    name = parent + entry.name
    if entry.is_dir():
      yield f'{name}/'
      if max_depth:
        yield from _list_folder(
          path, parent=f'{name}/', max_depth=max_depth - 1
        )
    # A broken link raises UserError when it is read.
    elif entry.is_file() or entry.is_symlink():
      yield name


def _read_folder(
  path: pathlib.Path, names: Collection[str]
) -> Iterator[tuple[str, bytes]]:
  for name in names:
    try:
      yield name, (path / name).read_bytes()
    except OSError as error:
      raise UserError(
        f'cannot read {path / name} ({error.strerror}): fix that or remove it'
      ) from error
