"""Strides that bound the number of primary capsules."""

import itertools
import math

Pair = tuple[int, int]


def bounded_strides(
  image_shape: tuple[int, ...],
  *,
  kernel_sizes: tuple[Pair, Pair],
  primary_strides: Pair,
  padding: str,
  num_types: int,
  most: int,
) -> tuple[Pair, Pair]:
  """Doubles the strides of two convolutions until a bound on capsules holds.

  They are doubled in turn, starting with the first convolution.

  Args:
    image_shape: height, width and channels.
    kernel_sizes: of the first and the primary convolution.
    primary_strides: initial strides of the primary convolution; the first one
      starts at (1, 1).
    padding: 'VALID' or 'SAME', for both convolutions.
    num_types: the number of primary capsule types.
    most: the largest number of primary capsules; 0 for no bound.

  Returns:
    Strides of the first and the primary convolution.

  Raises:
    ValueError: if the bound is less than one capsule per type.
  """
  if 0 < most < num_types:
    raise ValueError(
      f'max_primary_capsules={most} is less than one capsule of each of the '
      f'{num_types} types'
    )
  strides = [(1, 1), primary_strides]

  def count(strides):
    sizes = [
      _size(image_shape, axis, kernel_sizes, strides, padding)
      for axis in (0, 1)
    ]
    return num_types * math.prod(sizes) if min(sizes) > 0 else 0

  turns = itertools.cycle((0, 1))
  while most and count(strides) > most:
    turn = next(turns)
    height, width = strides[turn]
    doubled = [*strides]
    doubled[turn] = (2 * height, 2 * width)
    # A larger first stride may leave nothing for the second convolution; a
    # larger second stride always leaves something.
    if count(doubled):
      strides = doubled
  return strides[0], strides[1]


def _size(image_shape, axis, kernel_sizes, strides, padding):
  """Returns the number of primary capsules of one type along an axis."""
  size = image_shape[axis]
  for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
    # VALID loses the border, SAME keeps it.
    lost = kernel_size[axis] - 1 if padding == 'VALID' else 0
    size = -(-(size - lost) // stride[axis])
  return size
