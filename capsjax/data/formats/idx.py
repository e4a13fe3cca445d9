"""Reads IDX, the format of MNIST's files (Y. LeCun, yann.lecun.com/exdb/mnist).

A file is a big-endian magic number (two zero bytes, 8 for uint8, the number of
dimensions), one uint32 for each dimension, and the bytes in C order.
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
    path: an IDX3 file of uint8; one whose name ends in `.gz` is unpacked.

  Returns:
    uint8 of shape [n, h, w, 1], read-only.

  Raises:
    UserError: the file is missing, unreadable, cut off, not gzip though its
      name says so, of another kind, or holds no image.
  """
  return _read(pathlib.Path(path), kind='image', num_dimensions=3)[..., None]


def read_labels(path: str | os.PathLike[str]) -> Int32[np.ndarray, ' n']:
  """Reads a file of labels.

  Args:
    path: an IDX1 file of uint8; one whose name ends in `.gz` is unpacked.

  Returns:
    int32 of shape [n].

  Raises:
    UserError: as `read_images`.
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
  # Python integers: a damaged header may ask for more than an int64 holds.
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
      f'cannot read {path} ({error.strerror}): mend that or get it again'
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
