"""Where things are kept that can be made or fetched again."""

import os
from pathlib import Path


def cache_dir() -> Path:
  """The user's cache folder of capsjax, not necessarily there yet."""
  return Path(os.environ.get('XDG_CACHE_HOME') or '~/.cache').expanduser() / (
    'capsjax'
  )
