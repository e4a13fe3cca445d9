"""Where files are cached, and writing a file whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def cache_dir() -> Path:
  """The user's cache folder of capsjax, not necessarily there yet."""
  return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / (
    'capsjax'
  )


def write_file(
  path: Path, content: str | bytes | Callable[[BinaryIO], object]
) -> None:
  """Writes a file whole or not at all; its folder is made if absent.

  Whatever is killed or fails meanwhile, the file is the old one or the new one.

  Args:
    path: the file.
    content: text, which is written as UTF-8; bytes; or a function that writes
      into the open file that it is given.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  # Not by tempfile: others who share the folder could not read its file.
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
