"""How much arithmetic and memory traffic a computation cannot do without.

Counts are of the direct algorithms: a faster algorithm can exceed a limit that
is computed from them, and ours does for the convolution.
"""

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


def evaluation(*, batch: int, itemsize: int = 4) -> Work:
  """Forward pass of the paper's network on MNIST."""
  conv, others, _ = _network(batch, itemsize=itemsize)
  capsules = _class_capsules(batch, backward=False, itemsize=itemsize)
  return conv + others + capsules


def training_step(*, batch: int, itemsize: int = 4) -> Work:
  """Forward and backward pass of the paper's network on MNIST, and Adam."""
  conv, others, parameters = _network(batch, itemsize=itemsize)
  capsules = _class_capsules(batch, backward=True, itemsize=itemsize)
  # Read: parameter, gradient, two moments; written: all but the gradient.
  adam = Work(12 * parameters, 7 * 4 * parameters)
  # Nothing needs the gradient of the images.
  first = Work(2 * conv.operations, 2 * conv.bytes)
  return first + _with_backward(others) + capsules + adam


def _network(batch, *, itemsize):
  """Forward: first convolution; all others but routing; the parameters."""
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
