"""The cache folder, and atomic writing of files."""

import contextlib
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from capsjax.errors import UserError


def cache_dir() -> Path:
  """Returns the user's cache folder for capsjax, which may not exist yet."""
  return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / (
    'capsjax'
  )


def require_local(path: str | os.PathLike[str]) -> None:
  """Refuses an address such as gs://bucket/run.

  Raises:
    UserError: if the path begins with the name of a protocol.
  """
  # `Path` makes one slash of two.
  found = re.match(r'([a-z][a-z0-9+.-]+):/+(?=[^/])', str(path), re.IGNORECASE)
  if found:
    raise UserError(
      f'{found[1]}://{str(path)[found.end() :]} is no local folder, and '
      'capsjax reads and writes only those; mount it (gcsfuse, rclone mount), '
      'or use a local folder and copy it'
    )


def write_file(
  path: Path, content: str | bytes | Callable[[BinaryIO], object]
) -> None:
  """Writes a file atomically, creating its folder if needed.

  Even if the process is killed or the write fails, the file holds either its
  old or its new content.

  Args:
    path: the file.
    content: text, written as UTF-8; bytes; or a function that takes the open
      file and writes to it.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  # Files made by tempfile are unreadable to others who share the folder.
  partial = path.with_name(f'{path.name}.{secrets.token_hex(4)}.partial')
  try:
    with partial.open('xb') as file:
      if callable(content):
        content(file)
      else:
        file.write(content.encode() if isinstance(content, str) else content)
    partial.replace(path)
  except BaseException:
    with contextlib.suppress(OSError):
      partial.unlink()
    raise
