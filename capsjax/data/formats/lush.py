"""Reads the binary matrices of Lush, the format of NORB's files.

A file is a magic number for the type of the elements, the number of dimensions,
the size of each dimension, but of three at least, and the elements in C order;
all little-endian, and the integers of the header of 32 bits. The names of
NORB's files end in `.mat`, but they have nothing to do with MATLAB.
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

# There is also 0x1E3D4C52, a packed matrix, which NORB does not use.
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
    path: a file of Lush; one whose name ends in `.gz` is unpacked.

  Returns:
    uint8, int16, int32, float32 or float64, of the shape that the file says,
    read-only.

  Raises:
    UserError: the file is missing, unreadable, cut off, not gzip though its
      name says so, or not a matrix of Lush.

  References:
    LeCun, Huang: The small NORB dataset v1.0, "File format", 2005,
    https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/
  """
  path = pathlib.Path(path)
  data = _unpacked(path)
  dtype, shape, start = _read_header(path, data)
  # Python integers: a damaged header may ask for more than an int64 holds.
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
  """Returns the elements' type, the shape, and where the elements begin."""
  if len(data) < 8:
    raise UserError(f'{path} is cut off in its header: get it again')
  magic, num_dimensions = struct.unpack('<ii', data[:8])
  if magic not in _DTYPES:
    raise UserError(
      f'{path} is not a matrix of Lush: it begins with 0x{data[:4].hex()};'
      ' put the right file there'
    )
  start = 8 + 4 * max(3, num_dimensions)
  if len(data) < start:
    raise UserError(f'{path} is cut off in its header: get it again')
  sizes = np.frombuffer(data[8:start], '<i4').tolist()
  # Where there are fewer dimensions than three, the other sizes mean nothing.
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
      f'cannot read {path} ({reason}): mend that or get it again'
    ) from error
