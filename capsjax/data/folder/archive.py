"""Reads files from tar and zip archives without unpacking them to disk.

Only regular files are read; links and devices are skipped. Since nothing is
written, names that lead out of the archive are harmless.
"""

import contextlib
import pathlib
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterator

from capsjax.errors import UserError, first_line

_CHUNK_BYTES = 1 << 20


def list_tar(path: pathlib.Path) -> Iterator[str]:
  """Yields the names of a tar archive's files and folders.

  Args:
    path: a `.tar`, compressed or not.

  Yields:
    Paths with '/' between their parts; those of folders also end in '/'.

  Raises:
    UserError: the archive is missing, unreadable, damaged or cut off.
  """
  with _damage_told(path), tarfile.open(path) as tar:
    for member in tar:
      if member.isreg() or member.isdir():
        yield _normal(member.name) + '/' * member.isdir()
    _check_end(tar)


def read_tar(
  path: pathlib.Path, names: Collection[str]
) -> Iterator[tuple[str, bytes]]:
  """Yields the contents of some of a tar archive's files.

  Args:
    path: as in `list_tar`.
    names: file names as yielded by `list_tar`.

  Yields:
    Names and contents, in the archive's order. Of several files with the same
    name, the last one counts.

  Raises:
    UserError: as in `list_tar`.
  """
  with _damage_told(path), tarfile.open(path) as tar:
    for member in tar:
      name = _normal(member.name)
      file = tar.extractfile(member) if member.isreg() else None
      if file and name in names:
        yield name, file.read()


def list_zip(path: pathlib.Path) -> Iterator[str]:
  """Yields the names of a zip archive's files and folders.

  Args:
    path: a `.zip`.

  Yields:
    Paths as in `list_tar`.

  Raises:
    UserError: the archive is missing, unreadable, damaged or cut off.
  """
  with _damage_told(path), zipfile.ZipFile(path) as archive:
    for info in archive.infolist():
      if _is_regular(info) or info.is_dir():
        yield _normal(info.filename) + '/' * info.is_dir()


def read_zip(
  path: pathlib.Path, names: Collection[str]
) -> Iterator[tuple[str, bytes]]:
  """Yields the contents of some of a zip archive's files.

  Args:
    path: as in `list_zip`.
    names: file names as yielded by `list_zip`.

  Yields:
    Names and contents, as in `read_tar`.

  Raises:
    UserError: as in `list_zip`, or the archive is encrypted.
  """
  with _damage_told(path), zipfile.ZipFile(path) as archive:
    for info in archive.infolist():
      name = _normal(info.filename)
      if _is_regular(info) and name in names:
        yield name, archive.read(info)


def _normal(name: str) -> str:
  """Removes redundant parts of a path: './', '//' and a trailing '/'."""
  return '/'.join(part for part in name.split('/') if part not in ('', '.'))


def _is_regular(info: zipfile.ZipInfo) -> bool:
  # 0 if the archive comes from a system without file modes.
  kind = stat.S_IFMT(info.external_attr >> 16)
  return not info.is_dir() and kind in (0, stat.S_IFREG)


def _check_end(tar: tarfile.TarFile) -> None:
  """Raises ReadError unless the whole archive has been read.

  tarfile takes any invalid or missing header for the end, but the true end is
  a block of zeros. Reading a compressed file to its end also checks its
  checksum.
  """
  assert tar.fileobj is not None
  tar.fileobj.seek(tar.offset)
  if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
    raise tarfile.ReadError('damaged or cut off')
  while tar.fileobj.read(_CHUNK_BYTES):
    pass


@contextlib.contextmanager
def _damage_told(path: pathlib.Path) -> Iterator[None]:
  try:
    yield
  # Each compression format raises its own errors for damage.
  except Exception as error:
    reason = first_line(error).rstrip(':')
    raise UserError(
      f'cannot read {path} ({reason}): fix that or get it again'
    ) from error
