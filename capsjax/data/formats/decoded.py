"""Caches decoded arrays beside the records they were decoded from."""

import logging
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from capsjax.files import write_file

_NAME = 'capsjax.npz'
_FINGERPRINT = 'fingerprint'


def cached(
  folder: pathlib.Path, decode: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
  """Returns the result of `decode`, cached until the records change.

  The cache lies in the folder itself. If the folder is not writable, the
  records are decoded each time.

  Args:
    folder: holds the records; its subfolders are ignored.
    decode: decodes the records to named arrays.

  Returns:
    The arrays.
  """
  fingerprint = _fingerprint(folder)
  arrays = _read(folder / _NAME, fingerprint)
  if arrays is None:
    arrays = decode()
    _write(folder / _NAME, {**arrays, _FINGERPRINT: np.array(fingerprint)})
  return arrays


def _fingerprint(folder: pathlib.Path) -> str:
  """Returns text that changes with the records, to detect a stale cache."""
  paths = [path for path in folder.iterdir() if not path.name.startswith(_NAME)]
  stats = [(path.name, path.stat()) for path in sorted(paths)]
  return repr([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def _read(path: pathlib.Path, fingerprint: str) -> dict[str, np.ndarray] | None:
  try:
    # Opened here because np.load leaves the file of a damaged archive open.
    with path.open('rb') as raw, np.load(raw, allow_pickle=False) as file:
      arrays = dict(file)
    if str(arrays.pop(_FINGERPRINT)) != fingerprint:
      return None
  # Missing, or damaged in one of many ways: decode the records again.
  except Exception:
    return None
  return arrays


def _write(path: pathlib.Path, arrays: Mapping[str, Any]) -> None:
  try:
    write_file(path, lambda file: np.savez(file, **arrays))
  except OSError as error:
    logging.getLogger(__name__).warning('cannot keep %s: %s', path, error)
