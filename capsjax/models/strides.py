"""Strides that keep the number of primary capsules within bounds."""

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
  """Doubles the strides of two convolutions in turn, the first one's first.

  Args:
    image_shape: height, width and channels.
    kernel_sizes: of the first and of the primary convolution.
    primary_strides: of the primary convolution, where there is room; the first
      one begins with (1, 1).
    padding: 'VALID' or 'SAME', of both.
    num_types: types of primary capsules.
    most: the largest number of primary capsules; 0 for no bound.

  Returns:
    Strides of the first and of the primary convolution.

  Raises:
    ValueError: if the bound leaves no capsule of some type.
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
    # A stride of the first convolution may leave nothing for the second; one of
    # the second always leaves something.
    if count(doubled):
      strides = doubled
  return strides[0], strides[1]


def _size(image_shape, axis, kernel_sizes, strides, padding):
  """The primary capsules of a type along an axis."""
  size = image_shape[axis]
  for kernel_size, stride in zip(kernel_sizes, strides, strict=True):
    # VALID loses the border, SAME keeps it.
    lost = kernel_size[axis] - 1 if padding == 'VALID' else 0
    size = -(-(size - lost) // stride[axis])
  return size
