"""A float64 context for any version of JAX, and relative errors."""

import contextlib

import jax
import jax.experimental
import numpy as np


def float64() -> contextlib.AbstractContextManager:
  """Makes arrays created and functions called inside it float64."""
  if hasattr(jax, 'enable_x64'):
    return jax.enable_x64(True)
  return jax.experimental.enable_x64(True)


def relative_error(actual, expected) -> float:
  """Returns the largest error, relative to the largest magnitude expected."""
  expected = np.asarray(expected, np.float64)
  difference = np.abs(np.asarray(actual, np.float64) - expected)
  return float(np.max(difference) / np.max(np.abs(expected)))
