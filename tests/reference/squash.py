"""The squash and the length of vectors, one vector at a time."""

import math
from collections.abc import Callable

import numpy as np


def along(function: Callable, array: np.ndarray, axis: int) -> np.ndarray:
  """Applies a function of one vector to every vector along an axis."""
  rows = np.moveaxis(np.asarray(array, np.float64), axis, -1)
  results = [function(rows[index]) for index in np.ndindex(rows.shape[:-1])]
  result = np.array(results).reshape(rows.shape[:-1] + results[0].shape)
  return np.moveaxis(result, -1, axis) if results[0].ndim else result


def length(vector: np.ndarray) -> np.ndarray:
  """Returns the Euclidean length of one vector of any magnitude."""
  return np.array(math.hypot(*map(float, vector)))


def squash_vector(vector: np.ndarray) -> np.ndarray:
  """Computes Equation 1 for one vector; 0 for the zero vector."""
  size = float(length(vector))
  if size == 0:
    return np.zeros(len(vector))
  # |s|^2 / (1 + |s|^2), written without |s|^2 where it would overflow.
  share = 1 / (1 + 1 / size / size) if size > 1 else size**2 / (1 + size**2)
  return np.array([float(component) / size * share for component in vector])


def exponential_squash_vector(vector: np.ndarray) -> np.ndarray:
  """Shrinks one vector s to the length 1 - exp(-|s|); 0 for zero."""
  size = float(length(vector))
  if size == 0:
    return np.zeros(len(vector))
  return np.array([float(x) / size * -math.expm1(-size) for x in vector])


def lengths(capsules: np.ndarray, *, axis: int = -1) -> np.ndarray:
  """Returns the length of each vector along an axis, which is removed."""
  return along(length, capsules, axis)


def squash(preactivations: np.ndarray, *, axis: int = -1) -> np.ndarray:
  """Computes Equation 1 for each vector along an axis."""
  return along(squash_vector, preactivations, axis)


def exponential_squash(
  preactivations: np.ndarray, *, axis: int = -1
) -> np.ndarray:
  """Applies `exponential_squash_vector` to each vector along an axis."""
  return along(exponential_squash_vector, preactivations, axis)
