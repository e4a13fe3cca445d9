import gzip
import math
import struct

import numpy as np
import pytest

from capsjax.data.formats.lush import read_lush

# Magic numbers as listed on NYU's page, and format characters of `struct`.
KINDS = {
  'uint8': (0x1E3D4C55, 'B'),
  'int16': (0x1E3D4C56, 'h'),
  'int32': (0x1E3D4C54, 'i'),
  'float32': (0x1E3D4C51, 'f'),
  'float64': (0x1E3D4C53, 'd'),
}


def lush_bytes(dtype, shape, values):
  magic, letter = KINDS[dtype]
  sizes = (*shape, *[1] * (3 - len(shape)))
  header = struct.pack(f'<ii{len(sizes)}i', magic, len(shape), *sizes)
  return header + struct.pack(f'<{len(values)}{letter}', *values)


@pytest.mark.parametrize('name', ['matrix', 'matrix.gz'])
@pytest.mark.parametrize('dtype', KINDS)
@pytest.mark.parametrize('shape', [(6,), (2, 3), (2, 3, 4), (2, 2, 3, 2)])
def test_matrices_are_read(tmp_path, name, dtype, shape):
  values = [7 * i % 120 for i in range(math.prod(shape))]
  data = lush_bytes(dtype, shape, values)
  path = tmp_path / name
  path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
  matrix = read_lush(str(path))
  assert matrix.dtype == np.dtype(dtype)
  assert matrix.shape == shape
  assert matrix.reshape(-1).tolist() == values
  # The last index varies fastest.
  assert matrix[(0,) * (len(shape) - 1) + (1,)] == 7


def test_bytes_are_little_endian(tmp_path):
  path = tmp_path / 'matrix'
  path.write_bytes(
    b'\x54\x4c\x3d\x1e'
    b'\x01\0\0\0'
    b'\x02\0\0\0\x01\0\0\0\x01\0\0\0'
    b'\x01\x02\0\0\xff\xff\xff\xff'
  )
  assert read_lush(path).tolist() == [513, -1]


def test_sizes_beyond_the_last_dimension_mean_nothing(tmp_path):
  path = tmp_path / 'matrix'
  header = struct.pack('<ii3i', KINDS['uint8'][0], 1, 2, 0, -5)
  path.write_bytes(header + b'\x03\x04')
  assert read_lush(path).tolist() == [3, 4]


MATRIX = lush_bytes('int16', (2, 2), [1, 2, 3, 4])


def damaged(magic=KINDS['uint8'][0], num_dimensions=1, sizes=(2, 1, 1)):
  return struct.pack('<ii', magic, num_dimensions) + struct.pack(
    f'<{len(sizes)}i', *sizes
  )


@pytest.mark.parametrize(
  ('data', 'trouble'),
  [
    (b'', 'cut off in its header'),
    (MATRIX[:7], 'cut off in its header'),
    (MATRIX[:19], 'cut off in its header'),
    (b'MATLAB 5.0 MAT-file', 'not a Lush matrix: it begins with 0x4d41544c'),
    (gzip.compress(MATRIX, mtime=0), 'not a Lush matrix'),
    (MATRIX[3::-1] + MATRIX[4:], 'not a Lush matrix'),
    (damaged(magic=0x1E3D4C52) + b'ab', 'not a Lush matrix'),
    (MATRIX[:-1], 'holds 7 bytes of data, but its header says 8 (int16, 2 x 2'),
    (MATRIX + b'\0', 'holds 9 bytes of data, but its header says 8'),
    (damaged(num_dimensions=0) + b'a', 'header says 0 dimensions'),
    (damaged(num_dimensions=-1) + b'a', 'header says -1 dimensions'),
    (damaged(num_dimensions=2**31 - 1), 'cut off in its header'),
    (damaged(num_dimensions=2, sizes=(-1, -2, 1)) + b'ab', '(-1, -2)'),
    # Exceeds int64: must neither overflow nor be allocated.
    (
      damaged(num_dimensions=4, sizes=(2**31 - 1,) * 4),
      'its header says 21267647892944572736998860269687930881',
    ),
  ],
)
def test_damage_is_told(tmp_path, user_error, data, trouble):
  for name, content in (('x', data), ('x.gz', gzip.compress(data))):
    path = tmp_path / name
    path.write_bytes(content)
    with user_error(path, trouble):
      read_lush(path)


@pytest.mark.parametrize('name', ['matrix', 'matrix.gz'])
def test_every_truncation_is_told(tmp_path, user_error, name):
  path = tmp_path / name
  whole = gzip.compress(MATRIX) if path.suffix == '.gz' else MATRIX
  for size in range(len(whole)):
    path.write_bytes(whole[:size])
    with user_error(path):
      read_lush(path)


def test_no_flipped_byte_passes(tmp_path, user_error):
  path = tmp_path / 'matrix.gz'
  whole = gzip.compress(MATRIX)
  # Readers ignore gzip's time stamp, extra flags and operating system.
  for place in (*range(4), *range(10, len(whole))):
    data = bytearray(whole)
    data[place] ^= 0xFF
    path.write_bytes(data)
    with user_error(path):
      read_lush(path)


def test_unpacked_file_with_a_packed_name_is_told(tmp_path, user_error):
  path = tmp_path / 'matrix.gz'
  path.write_bytes(MATRIX)
  with user_error(path, 'cannot read', 'Not a gzipped file'):
    read_lush(path)


def test_unreadable_files_are_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'cannot read', 'No such file'):
    read_lush(tmp_path / 'none')
  with user_error(tmp_path, 'cannot read', 'Is a directory'):
    read_lush(tmp_path)
