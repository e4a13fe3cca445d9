"""Float64 for a moment, whichever name JAX has for it, and relative errors."""

import contextlib

import jax
import jax.experimental
import numpy as np


def float64() -> contextlib.AbstractContextManager:
  """Arrays made and functions called inside are float64."""
  if hasattr(jax, 'enable_x64'):
    return jax.enable_x64(True)
  return jax.experimental.enable_x64(True)


def relative_error(actual, expected) -> float:
  """The largest error, relative to the largest magnitude expected."""
  expected = np.asarray(expected, np.float64)
  difference = np.abs(np.asarray(actual, np.float64) - expected)
  return float(np.max(difference) / np.max(np.abs(expected)))
