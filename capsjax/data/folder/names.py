"""Tells pictures from other files by their names."""

import collections
import logging
import os
import pathlib
import posixpath
from collections.abc import Iterable, Sequence

from capsjax.data.folder.picture import KINDS, SUFFIXES

_OF_SYSTEMS = ('__MACOSX', 'Thumbs.db', 'desktop.ini')


def is_picture(name: str) -> bool:
  """Returns whether a file name has the suffix of a picture."""
  return name.lower().endswith(SUFFIXES)


def is_ignored(part: str) -> bool:
  """Returns whether to skip a file or folder of this name and all inside it.

  True for hidden files, such as .DS_Store, and for what macOS and Windows add.
  """
  return part.startswith('.') or part in _OF_SYSTEMS


def readable(name: str) -> str:
  """Returns a file's name as text, with bytes that are not UTF-8 in hex."""
  return os.fsencode(name).decode('utf-8', 'backslashreplace')


def name_some(names: Sequence[str]) -> str:
  """Returns the first three names, and how many more there are."""
  more = f' and {len(names) - 3:,} more' if len(names) > 3 else ''
  return ', '.join(map(readable, names[:3])) + more


def warn_of_skipped(names: Iterable[str], root: pathlib.Path) -> None:
  """Logs how many files are neither pictures nor ignored, by suffix.

  Args:
    names: paths of files and folders; those of folders end in '/'.
    root: the folder or archive that holds them.
  """
  counts = collections.Counter(
    posixpath.splitext(name)[1].lower() or 'without a suffix'
    for name in set(names)
    if not name.endswith('/')
    and not is_picture(name)
    and not any(map(is_ignored, name.split('/')))
  )
  if not counts:
    return
  by_count = sorted(counts.items(), key=lambda found: (-found[1], found[0]))
  logging.getLogger(__name__).warning(
    'skipped %s of other kinds in %s (%s); capsjax reads %s',
    f'{counts.total():,} file{"s" * (counts.total() > 1)}',
    root,
    ', '.join(f'{n:,} {suffix}' for suffix, n in by_count),
    KINDS,
  )
