import numpy as np
import pytest
import scipy.io
import scipy.sparse

from capsjax.data.formats.matlab import (
  class_labels,
  read_struct,
  read_variables,
)

ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)


def write(path, *, packed=True, **variables):
  scipy.io.savemat(path, variables, do_compression=packed)
  return path


@pytest.mark.parametrize('packed', [True, False])
def test_variables_are_read(tmp_path, packed):
  path = write(tmp_path / 'x.mat', a=ROWS, b=[1.5], c='text', packed=packed)
  variables = read_variables(path, ['b', 'a'])
  assert list(variables) == ['b', 'a']
  assert variables['a'].dtype == np.uint8
  np.testing.assert_array_equal(variables['a'], ROWS)
  assert variables['b'].tolist() == [[1.5]]


def test_version_4_is_read(tmp_path):
  scipy.io.savemat(tmp_path / 'x.mat', {'a': ROWS}, format='4')
  variables = read_variables(tmp_path / 'x.mat', ['a'])
  np.testing.assert_array_equal(variables['a'], ROWS)


def test_missing_variables_are_told(tmp_path, user_error):
  path = write(tmp_path / 'x.mat', a=ROWS)
  with user_error(path, 'lacks the array b and c'):
    read_variables(path, ['a', 'b', 'c'])


# SciPy warns that the default type of sparse matrices will change.
@pytest.mark.filterwarnings('ignore:The default value for `spmatrix`')
def test_sparse_matrices_are_told(tmp_path, user_error):
  path = write(tmp_path / 'x.mat', a=scipy.sparse.csc_array(ROWS * 1.0))
  with user_error(path, 'lacks the array a'):
    read_variables(path, ['a'])


def version_7_3():
  header = b'MATLAB 7.3 MAT-file, Platform: GLNXA64'.ljust(116) + bytes(8)
  return (header + b'\x00\x02IM').ljust(512, b'\0') + b'\x89HDF\r\n\x1a\n'


@pytest.mark.parametrize(
  ('data', 'parts'),
  [
    (b'', ('not a MATLAB file or is damaged',)),
    (b'MATL', ('not a MATLAB file or is damaged',)),
    (b'<!DOCTYPE html>' * 20, ('not a MATLAB file or is damaged',)),
    (b'PK\x03\x04' + bytes(300), ('not a MATLAB file or is damaged',)),
    # SciPy 1.18 calls it damaged, 1.14 a version 4 file without variables.
    (bytes(300), ()),
    (version_7_3(), ('MATLAB 7.3 (HDF5)', '-v7')),
  ],
)
def test_other_files_are_told(tmp_path, user_error, data, parts):
  path = tmp_path / 'x.mat'
  path.write_bytes(data)
  with user_error(path, *parts):
    read_variables(path, ['a'])


@pytest.mark.parametrize('packed', [True, False])
def test_no_truncation_passes(tmp_path, user_error, packed):
  # A multiple of 8 bytes, since truncating padding bytes does no harm.
  noise = np.random.default_rng(0).integers(0, 256, (5, 8), np.uint8)
  path = write(tmp_path / 'x.mat', a=noise, packed=packed)
  whole = path.read_bytes()
  for size in range(len(whole)):
    path.write_bytes(whole[:size])
    with user_error(path):
      read_variables(path, ['a'])


def test_unreadable_files_are_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'cannot read', 'No such file'):
    read_variables(tmp_path / 'none', ['a'])
  with user_error(tmp_path, 'cannot read', 'Is a directory'):
    read_variables(tmp_path, ['a'])


def test_fields_are_read(tmp_path):
  path = write(tmp_path / 'x.mat', s={'a': ROWS, 'b': [[2.0]], 'c': 'text'})
  fields = read_struct(path, 's', ['b', 'a'])
  assert list(fields) == ['b', 'a']
  assert fields['b'].tolist() == [[2.0]]
  np.testing.assert_array_equal(fields['a'], ROWS)


def test_other_structs_are_told(tmp_path, user_error):
  structs = np.zeros((1, 2), [('a', object)])
  path = write(
    tmp_path / 'x.mat', s={'a': ROWS}, array=ROWS, number=3.0, structs=structs
  )
  with user_error(path, ': s lacks the array b'):
    read_struct(path, 's', ['a', 'b'])
  with user_error(path, 'array is not a struct', 'uint8', '(2, 3)'):
    read_struct(path, 'array', ['a'])
  with user_error(path, 'number is not a struct', 'float64', '(1, 1)'):
    read_struct(path, 'number', ['a'])
  with user_error(path, 'structs is not a struct', '(1, 2)'):
    read_struct(path, 'structs', ['a'])
  with user_error(path, 'lacks the array none'):
    read_struct(path, 'none', ['a'])


@pytest.mark.parametrize('dtype', [np.uint8, np.int64, np.float64])
@pytest.mark.parametrize('shape', [(1, 4), (4, 1)])
def test_numbers_become_labels(dtype, shape):
  values = np.array([3, 0, 10, 1], dtype).reshape(shape)
  labels = class_labels(values, largest=10, source='y')
  assert labels.dtype == np.int32
  assert labels.tolist() == [3, 0, 10, 1]


@pytest.mark.parametrize(
  'values',
  [
    np.array([[3.0, 2.5]]),
    np.array([[3.0, np.nan]]),
    np.array([[3.0, np.inf]]),
    np.array([[3, -1]]),
    np.array([[3, 11]], np.uint8),
    np.array([[1, 2], [3, 4]]),
    np.array([['1', '2']]),
    np.array([[1, 2]], object),
    np.array([[1 + 0j, 2]]),
  ],
)
def test_other_numbers_are_no_labels(user_error, values):
  with user_error('f.mat: y', values.dtype, values.shape, 'from 0 to 10'):
    class_labels(values, largest=10, source='f.mat: y')
