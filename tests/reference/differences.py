"""Gradients by central differences, in float64."""

from collections.abc import Callable

import numpy as np


def gradient(
  function: Callable[[np.ndarray], float], point: np.ndarray, step: float = 1e-6
) -> np.ndarray:
  """Returns the gradient of a function of an array at a point.

  Args:
    function: maps an array of the point's shape to a number.
    point: where to take the gradient.
    step: how far to move each element, up and down.

  Returns:
    An array of the point's shape.
  """
  point = np.asarray(point, np.float64)
  result = np.zeros(point.shape)
  for index in np.ndindex(point.shape):
    above, below = point.copy(), point.copy()
    above[index] += step
    below[index] -= step
    result[index] = (float(function(above)) - float(function(below))) / (
      above[index] - below[index]
    )
  return result
