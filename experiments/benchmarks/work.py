"""Counts the least arithmetic and memory traffic of a computation.

The counts are for the direct algorithms. A faster algorithm can beat a limit
computed from them, as our convolution does.
"""

from typing import NamedTuple


class Work(NamedTuple):
  """Floating-point operations, and the least bytes read or written."""

  operations: float
  bytes: float

  def __add__(self, other: 'Work') -> 'Work':  # type: ignore[override]
    return Work(self.operations + other.operations, self.bytes + other.bytes)

  def seconds(self, gigaflops: float, gigabytes: float) -> float:
    """Computes the least time at given rates of arithmetic and memory."""
    return max(self.operations / gigaflops, self.bytes / gigabytes) / 1e9


def product(rows: int, inner: int, columns: int, *, itemsize: int) -> Work:
  """Counts a matrix product, read and written once."""
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
  """Counts votes and routing; memory is only inputs, kernel and capsules.

  The votes count as computed once, though ours recomputes them: they could be
  stored and read again. The backward pass counts as twice the forward pass, as
  for a matrix product.
  """
  votes = batch * in_caps * out_caps * out_dim
  # The weighted sum of each iteration, and all agreements except the last.
  operations = 2 * votes * (in_dim + 2 * num_iterations - 1)
  numbers = batch * in_caps * in_dim + in_caps * out_caps * in_dim * out_dim
  numbers += batch * out_caps * out_dim
  work = Work(operations, numbers * itemsize)
  return _with_backward(work) if backward else work


def evaluation(*, batch: int, itemsize: int = 4) -> Work:
  """Counts the forward pass of the paper's network on MNIST."""
  conv, others, _ = _network(batch, itemsize=itemsize)
  capsules = _class_capsules(batch, backward=False, itemsize=itemsize)
  return conv + others + capsules


def training_step(*, batch: int, itemsize: int = 4) -> Work:
  """Counts forward pass, backward pass and Adam of the MNIST network."""
  conv, others, parameters = _network(batch, itemsize=itemsize)
  capsules = _class_capsules(batch, backward=True, itemsize=itemsize)
  # Read: parameter, gradient, two moments; written: all but the gradient.
  adam = Work(12 * parameters, 7 * 4 * parameters)
  # The gradient of the images is not needed.
  first = Work(2 * conv.operations, 2 * conv.bytes)
  return first + _with_backward(others) + capsules + adam


def _network(batch, *, itemsize):
  """Returns first convolution, other layers but routing, parameter count."""
  conv = product(batch * 20 * 20, 81, 256, itemsize=itemsize)
  others = product(batch * 6 * 6, 81 * 256, 256, itemsize=itemsize)
  widths = (160, 512, 1024, 784)
  for inner, columns in zip(widths, widths[1:], strict=False):
    others += product(batch, inner, columns, itemsize=itemsize)
  parameters = 81 * 256 + 81 * 256 * 256 + 1152 * 10 * 8 * 16
  parameters += sum(a * b for a, b in zip(widths, widths[1:], strict=False))
  return conv, others, parameters


def _class_capsules(batch, *, backward, itemsize):
  return routing(
    batch=batch,
    in_caps=1152,
    out_caps=10,
    num_iterations=3,
    backward=backward,
    itemsize=itemsize,
  )


def _with_backward(forward):
  return Work(3 * forward.operations, 3 * forward.bytes)
