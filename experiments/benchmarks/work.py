"""How much arithmetic and memory traffic a computation cannot do without.

Counts are of the direct algorithms: a faster algorithm can exceed a limit that
is computed from them, and ours does for the convolution.
"""

import math
from typing import NamedTuple


class Work(NamedTuple):
  """Floating-point operations, and bytes read or written at least."""

  operations: float
  bytes: float

  def __add__(self, other: 'Work') -> 'Work':  # type: ignore[override]
    return Work(self.operations + other.operations, self.bytes + other.bytes)

  def seconds(self, gigaflops: float, gigabytes: float) -> float:
    """The least time by rates of arithmetic and of memory."""
    return max(self.operations / gigaflops, self.bytes / gigabytes) / 1e9


def product(rows: int, inner: int, columns: int, *, itemsize: int) -> Work:
  """A matrix product, read and written once."""
  numbers = rows * inner + inner * columns + rows * columns
  return Work(2 * rows * inner * columns, numbers * itemsize)


def routing(
  *,
  batch: int,
  in_caps: int,
  out_caps: int,
  num_iterations: int,
  backward: bool,
  itemsize: int = 4,
  in_dim: int = 8,
  out_dim: int = 16,
) -> Work:
  """Votes and routing; of memory only inputs, kernel and capsules.

  The votes are counted as computed once, though they are recomputed: what is
  stored once could be read again. The backward pass is taken as twice the
  forward pass, as for a product of matrices.
  """
  votes = batch * in_caps * out_caps * out_dim
  # The weighted sum of each iteration, and all agreements but the last.
  operations = 2 * votes * (in_dim + 2 * num_iterations - 1)
  numbers = batch * in_caps * in_dim + in_caps * out_caps * in_dim * out_dim
  numbers += batch * out_caps * out_dim
  work = Work(operations, numbers * itemsize)
  return _with_backward(work) if backward else work


def training_step(
  *,
  batch: int,
  image_shape: tuple[int, int, int] = (28, 28, 1),
  num_classes: int = 10,
  num_iterations: int = 3,
  itemsize: int = 4,
) -> Work:
  """Forward and backward pass of the paper's network, and Adam."""
  height, width, channels = image_shape
  size = itemsize
  conv = product(
    batch * (height - 8) * (width - 8), 81 * channels, 256, itemsize=size
  )
  positions = ((height - 16) // 2 + height % 2) * (
    (width - 16) // 2 + width % 2
  )
  primary = product(batch * positions, 81 * 256, 256, itemsize=size)
  capsules = routing(
    batch=batch,
    in_caps=32 * positions,
    out_caps=num_classes,
    num_iterations=num_iterations,
    backward=True,
    itemsize=size,
  )
  widths = (16 * num_classes, 512, 1024, math.prod(image_shape))
  decoder = Work(0, 0)
  for inner, columns in zip(widths, widths[1:], strict=False):
    decoder += product(batch, inner, columns, itemsize=size)
  # Read: parameter, gradient, two moments; written: all but the gradient.
  parameters = 81 * channels * 256 + 81 * 256 * 256
  parameters += 32 * positions * num_classes * 8 * 16
  parameters += sum(a * b for a, b in zip(widths, widths[1:], strict=False))
  adam = Work(12 * parameters, 7 * 4 * parameters)
  # Nothing needs the gradient of the images.
  first = Work(2 * conv.operations, 2 * conv.bytes)
  return first + _with_backward(primary + decoder) + capsules + adam


def _with_backward(forward):
  return Work(3 * forward.operations, 3 * forward.bytes)
