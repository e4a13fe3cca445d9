"""Reads IDX, the format of MNIST's files (Y. LeCun, yann.lecun.com/exdb/mnist).

A file is big-endian: a magic number (two zero bytes, 8 for uint8, the number of
dimensions), one uint32 per dimension, and the data bytes in C order.
"""

import gzip
import math
import os
import pathlib
import struct
import zlib

import numpy as np
from jaxtyping import Int32, UInt8

from capsjax.errors import UserError


def read_images(path: str | os.PathLike[str]) -> UInt8[np.ndarray, 'n h w 1']:
  """Reads a file of grey images.

  Args:
    path: an IDX3 file of uint8, decompressed if its name ends in `.gz`.

  Returns:
    uint8 of shape [n, h, w, 1], read-only.

  Raises:
    UserError: the file is missing, unreadable, truncated, named `.gz` but not
      gzip, of another format, or holds no images.
  """
  return _read(pathlib.Path(path), kind='image', num_dimensions=3)[..., None]


def read_labels(path: str | os.PathLike[str]) -> Int32[np.ndarray, ' n']:
  """Reads a file of labels.

  Args:
    path: an IDX1 file of uint8, decompressed if its name ends in `.gz`.

  Returns:
    int32 of shape [n].

  Raises:
    UserError: as in `read_images`.
  """
  labels = _read(pathlib.Path(path), kind='label', num_dimensions=1)
  return labels.astype(np.int32)


def _read(path: pathlib.Path, *, kind: str, num_dimensions: int) -> np.ndarray:
  data = _unpacked(path)
  if not data:
    raise UserError(f'{path} is empty: get it again')
  magic = struct.pack('>I', 0x800 + num_dimensions)
  if not data.startswith(magic):
    raise UserError(
      f'{path} is not an IDX {kind} file: it begins with 0x{data[:4].hex()}'
      f' instead of 0x{magic.hex()}; put the right file there'
    )
  start = 4 + 4 * num_dimensions
  if len(data) < start:
    raise UserError(f'{path} is cut off in its header: get it again')
  # Python integers, as sizes in a damaged header may overflow int64.
  shape = struct.unpack(f'>{num_dimensions}I', data[4:start])
  expected, found = math.prod(shape), len(data) - start
  if not expected:
    raise UserError(f'{path} holds no {kind}s: its header says {shape}')
  if found != expected:
    raise UserError(
      f'{path} holds {found} bytes of data, but its header says {expected}'
      f' ({" x ".join(map(str, shape))}): get it again'
    )
  return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _unpacked(path: pathlib.Path) -> bytes:
  try:
    data = path.read_bytes()
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror}): fix that or get it again'
    ) from error
  if path.suffix != '.gz':
    return data
  try:
    return gzip.decompress(data)
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise UserError(
      f'{path} is not gzip or is damaged ({error}): get it again, or drop'
      " '.gz' from its name if it is unpacked"
    ) from error
