"""Reads variables from MATLAB files, versions 4 to 7.2.

MATLAB stores arrays in column-major order, with at least two dimensions, and
numbers as doubles by default.
"""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int32, Shaped

from capsjax.errors import UserError, first_line


def read_variables(
  path: pathlib.Path, names: Sequence[str]
) -> dict[str, np.ndarray]:
  """Reads some of a file's variables.

  Args:
    path: a `.mat` file, not of version 7.3, which is HDF5.
    names: the variables to read; others are skipped.

  Returns:
    An array of at least two dimensions for each name. A struct is an array of
    shape [1, 1] whose dtype has the struct's fields, all of dtype object.

  Raises:
    UserError: the file is missing, unreadable, truncated, of version 7.3 or
      not a MATLAB file, or lacks a variable.
  """
  return _arrays(_load(path, names), names, source=str(path))


def read_struct(
  path: pathlib.Path, name: str, fields: Sequence[str]
) -> dict[str, np.ndarray]:
  """Reads some fields of a struct in a file.

  Args:
    path: as in `read_variables`.
    name: the name of the struct.
    fields: the fields to read, which must be arrays.

  Returns:
    An array of at least two dimensions for each field.

  Raises:
    UserError: as in `read_variables`, or the variable is not a single struct
      or lacks a field.
  """
  struct = read_variables(path, [name])[name]
  if struct.shape != (1, 1) or not struct.dtype.names:
    raise UserError(
      f'{path}: {name} is not a struct but {struct.dtype} of shape'
      f' {struct.shape}: put the right file there'
    )
  found = {field: struct[field][0, 0] for field in struct.dtype.names}
  return _arrays(found, fields, source=f'{path}: {name}')


def class_labels(
  values: Shaped[np.ndarray, '*shape'], *, largest: int, source: str
) -> Int32[np.ndarray, ' n']:
  """Converts a row or column of numbers to labels.

  Args:
    values: numbers of any type, of shape [1, n] or [n, 1].
    largest: the largest label; all must be whole numbers from 0 to it.
    source: where the numbers come from, for error messages.

  Returns:
    int32 of shape [n].

  Raises:
    UserError: the shape is wrong, or the values are not whole numbers in range.
  """
  labels = values.reshape(-1)
  if (
    values.size != max(values.shape)
    or values.dtype.kind not in 'uif'
    # A cast alone would turn 2.5 and NaN into labels.
    or not np.isin(labels, np.arange(largest + 1)).all()
  ):
    raise UserError(
      f'{source}, {values.dtype} of shape {values.shape}, is not a row or a'
      f' column of whole numbers from 0 to {largest}: put the right file there'
    )
  return labels.astype(np.int32)


def _load(path: pathlib.Path, names: Sequence[str]) -> dict[str, Any]:
  from scipy import io

  try:
    with path.open('rb') as file:
      return io.loadmat(file, variable_names=list(names))
  except NotImplementedError as error:
    raise UserError(
      f'{path} is a MATLAB 7.3 (HDF5) file, which cannot be read: save it in'
      ' MATLAB with -v7, or get the original again'
    ) from error
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror or error}): fix that or get it'
      ' again'
    ) from error
  # SciPy raises errors of many types for damaged files.
  except Exception as error:
    raise UserError(
      f'{path} is not a MATLAB file or is damaged ({type(error).__name__}:'
      f' {first_line(error)}): get it again'
    ) from error


def _arrays(
  values: Mapping[str, Any], names: Sequence[str], *, source: str
) -> dict[str, np.ndarray]:
  # SciPy returns other types for sparse matrices and for damaged arrays.
  missing = [n for n in names if not isinstance(values.get(n), np.ndarray)]
  if missing:
    raise UserError(
      f'{source} lacks the array {" and ".join(missing)}: put the right file'
      ' there'
    )
  return {name: values[name] for name in names}
