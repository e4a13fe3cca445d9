"""Reads variables of MATLAB's files, versions 4 to 7.2.

MATLAB keeps arrays in column-major order, has no array of fewer than two
dimensions, and makes every number a double unless it is told otherwise.
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
    path: a `.mat` file that is not of version 7.3, which is HDF5.
    names: the variables that are needed; others are skipped.

  Returns:
    An array of at least two dimensions for each name. A struct is an array of
    shape [1, 1] whose dtype has the struct's fields, all of dtype object.

  Raises:
    UserError: the file is missing, unreadable, cut off, of version 7.3 or not
      of MATLAB, or lacks a variable.
  """
  return _arrays(_load(path, names), names, source=str(path))


def read_struct(
  path: pathlib.Path, name: str, fields: Sequence[str]
) -> dict[str, np.ndarray]:
  """Reads some fields of a file's struct.

  Args:
    path: as in `read_variables`.
    name: the variable that is the struct.
    fields: the fields that are needed, arrays.

  Returns:
    An array of at least two dimensions for each field.

  Raises:
    UserError: as in `read_variables`, or the variable is not one struct, or
      lacks a field.
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
  """Makes labels of a row or column of numbers.

  Args:
    values: numbers of any type, of shape [1, n] or [n, 1].
    largest: the labels must be whole and lie in 0 to `largest`.
    source: where the numbers come from, for the message.

  Returns:
    int32 of shape [n].

  Raises:
    UserError: the values are not such numbers.
  """
  labels = values.reshape(-1)
  if (
    values.size != max(values.shape)
    or values.dtype.kind not in 'uif'
    # Not a cast alone, which would make labels of 2.5 and NaN.
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
      f'{path} is of MATLAB 7.3 (HDF5), which cannot be read: save it in MATLAB'
      ' with -v7, or get the original again'
    ) from error
  except OSError as error:
    raise UserError(
      f'cannot read {path} ({error.strerror or error}): mend that or get it'
      ' again'
    ) from error
  # SciPy meets damage with errors of many types.
  except Exception as error:
    raise UserError(
      f'{path} is not a MATLAB file or is damaged ({type(error).__name__}:'
      f' {first_line(error)}): get it again'
    ) from error


def _arrays(
  values: Mapping[str, Any], names: Sequence[str], *, source: str
) -> dict[str, np.ndarray]:
  # A sparse matrix is not an array, nor what SciPy gives for a damaged one.
  missing = [n for n in names if not isinstance(values.get(n), np.ndarray)]
  if missing:
    raise UserError(
      f'{source} lacks the array {" and ".join(missing)}: put the right file'
      ' there'
    )
  return {name: values[name] for name in names}
