"""Reads Lush binary matrices, the format of NORB's files.

A file holds a magic number for the element type, the number of dimensions, the
size of each dimension (never fewer than three sizes), and the elements in C
order. It is little-endian, and the header's integers have 32 bits. NORB's file
names end in `.mat`, but the format has nothing to do with MATLAB.
"""

import gzip
import math
import os
import pathlib
import struct
import zlib

import numpy as np
from jaxtyping import Shaped

from capsjax.errors import UserError

# NORB does not use 0x1E3D4C52, a packed matrix.
_DTYPES = {
  0x1E3D4C51: '<f4',
  0x1E3D4C53: '<f8',
  0x1E3D4C54: '<i4',
  0x1E3D4C55: '<u1',
  0x1E3D4C56: '<i2',
}


def read_lush(path: str | os.PathLike[str]) -> Shaped[np.ndarray, '*shape']:
  """Reads a matrix.

  Args:
    path: a Lush file, decompressed if its name ends in `.gz`.

  Returns:
    uint8, int16, int32, float32 or float64, of the shape in the file's header,
    read-only.

  Raises:
    UserError: the file is missing, unreadable, truncated, named `.gz` but not
      gzip, or not a Lush matrix.

  References:
    LeCun, Huang: The small NORB dataset v1.0, "File format", 2005,
    https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/
  """
  path = pathlib.Path(path)
  data = _unpacked(path)
  dtype, shape, start = _read_header(path, data)
  # Python integers, as sizes in a damaged header may overflow int64.
  expected, found = math.prod(shape) * dtype.itemsize, len(data) - start
  if found != expected:
    raise UserError(
      f'{path} holds {found} bytes of data, but its header says {expected}'
      f' ({dtype.name}, {" x ".join(map(str, shape))}): get it again'
    )
  return np.frombuffer(data, dtype, offset=start).reshape(shape)


def _read_header(
  path: pathlib.Path, data: bytes
) -> tuple[np.dtype, tuple[int, ...], int]:
  """Returns the dtype, the shape, and the offset of the elements."""
  if len(data) < 8:
    raise UserError(f'{path} is cut off in its header: get it again')
  magic, num_dimensions = struct.unpack('<ii', data[:8])
  if magic not in _DTYPES:
    raise UserError(
      f'{path} is not a Lush matrix: it begins with 0x{data[:4].hex()};'
      ' put the right file there'
    )
  start = 8 + 4 * max(3, num_dimensions)
  if len(data) < start:
    raise UserError(f'{path} is cut off in its header: get it again')
  sizes = np.frombuffer(data[8:start], '<i4').tolist()
  # With fewer than three dimensions, the remaining sizes mean nothing.
  shape = tuple(sizes[:num_dimensions])
  if num_dimensions < 1 or min(shape) < 0:
    raise UserError(
      f'{path} is damaged: its header says {num_dimensions} dimensions of sizes'
      f' {shape}; get it again'
    )
  return np.dtype(_DTYPES[magic]), shape, start


def _unpacked(path: pathlib.Path) -> bytes:
  try:
    with (gzip.open if path.suffix == '.gz' else open)(path, 'rb') as file:
      return file.read()
  except (OSError, EOFError, zlib.error) as error:
    reason = getattr(error, 'strerror', None) or error
    raise UserError(
      f'cannot read {path} ({reason}): fix that or get it again'
    ) from error
