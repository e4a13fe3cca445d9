"""Sizes that may not be known when a program is traced."""

from typing import Any

# A batch of a usual size.
_ASSUMED = 128


def assumed_size(size: Any) -> int:
  """Returns a size to choose a method by.

  Any choice is right; this one is only fast for some sizes.

  Args:
    size: of an axis; an expression if `jax.export` keeps the axis symbolic.
  """
  return size if isinstance(size, int) else _ASSUMED
