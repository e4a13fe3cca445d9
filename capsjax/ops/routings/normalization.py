"""Which parents compete for a child: what couplings are normalised over."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

# A tap of a receptive field: its index along both axes.
_Tap = tuple[int, int]


def over_parents(log_weights: Float[Array, '...']) -> Float[Array, '...']:
  """Normalises over the parents of one position: a softmax of the last axis.

  Args:
    log_weights: `[*batch, in_caps, out_caps]`.

  Returns:
    Couplings, which sum to 1 over the output capsules.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import ops
    >>> print(ops.over_parents(jnp.zeros((1, 4))))
    [[0.25 0.25 0.25 0.25]]
  """
  return jax.nn.softmax(log_weights, -1)


@dataclasses.dataclass(frozen=True)
class OverReceptiveFields:
  """Normalises over all parents that see a child, at all their positions.

  Receptive fields of neighbouring positions overlap, so a child of a
  convolutional layer has parents at several positions. Here they compete for
  it, as "Matrix Capsules with EM Routing" demands.

  Attributes:
    kernel_size: height and width of a receptive field.
    strides: the steps between receptive fields.

  Examples:
    In a row of three children, two parents see two children each. The child in
    the middle is seen by both, and shares itself between them:

    >>> import jax.numpy as jnp
    >>> from capsjax import ops
    >>> normalize = ops.OverReceptiveFields(kernel_size=(1, 2), strides=(1, 1))
    >>> print(normalize(jnp.zeros((1, 2, 2, 1)))[0, :, :, 0])
    [[1.  0.5]
     [0.5 1. ]]
  """

  kernel_size: tuple[int, int]
  strides: tuple[int, int]

  def __call__(self, log_weights: Float[Array, '...']) -> Float[Array, '...']:
    """Normalises the weights of all positions.

    Args:
      log_weights: `[*batch, height, width, in_caps, out_caps]` at positions of
        parents, where `in_caps` is `kernel_height * kernel_width * types`.

    Returns:
      Couplings, which sum to 1 over the output capsules of all positions that
      see a child.
    """
    *batch, height, width, in_caps, _ = log_weights.shape
    rows, columns = self.kernel_size
    shape = *batch, height, width, rows, columns, in_caps // (rows * columns)
    # Subtracting the largest weight of a child's parents avoids overflow, and
    # underflow of them all.
    here = lax.stop_gradient(jnp.max(log_weights, -1)).reshape(shape)
    largest = self._gather(self._scatter(here, jnp.maximum, -jnp.inf))
    weights = jnp.exp(
      log_weights - largest.reshape(log_weights.shape[:-1])[..., None]
    )
    sums = self._scatter(jnp.sum(weights, -1).reshape(shape), jnp.add, 0.0)
    total = self._gather(sums).reshape(log_weights.shape[:-1])
    return weights / total[..., None]

  def _taps(self) -> list[_Tap]:
    rows, columns = self.kernel_size
    return [(y, x) for y in range(rows) for x in range(columns)]

  def _scatter(
    self,
    values: Float[Array, '...'],
    combine: Callable[[Array, Array], Array],
    neutral: float,
  ) -> Float[Array, '*batch in_height in_width types']:
    """Combines the values that belong to the same child."""
    height, width = values.shape[-5:-3]
    sizes = [
      (count - 1) * stride + size
      for count, stride, size in zip(
        (height, width), self.strides, self.kernel_size, strict=True
      )
    ]
    fill = jnp.asarray(neutral, values.dtype)
    found = None
    for y, x in self._taps():
      padding = [(0, 0, 0)] * values.ndim
      padding = [*padding[:-5], *self._padding(sizes, (y, x)), (0, 0, 0)]
      placed = lax.pad(values[..., y, x, :], fill, padding)
      found = placed if found is None else combine(found, placed)
    assert found is not None  # A kernel has at least one tap.
    return found

  def _padding(self, sizes: list[int], tap: _Tap) -> list[tuple[int, int, int]]:
    """Returns the padding that puts a tap's values where their children are."""
    return [
      (
        first,
        size - first - ((size - kernel) // stride * stride + 1),
        stride - 1,
      )
      for first, size, stride, kernel in zip(
        tap, sizes, self.strides, self.kernel_size, strict=True
      )
    ]

  def _gather(
    self, grid: Float[Array, '*batch in_height in_width types']
  ) -> Float[Array, '...']:
    """Returns, for each position and tap, the value of the child there."""
    return receptive_fields(
      grid, kernel_size=self.kernel_size, strides=self.strides, num_axes=1
    )


def receptive_fields(
  grid: Float[Array, '...'],
  *,
  kernel_size: tuple[int, int],
  strides: tuple[int, int],
  num_axes: int,
) -> Float[Array, '...']:
  """Cuts a grid into the receptive fields of a convolution without padding.

  Args:
    grid: `[*batch, height, width, ...]`.
    kernel_size: height and width of a receptive field.
    strides: the steps between receptive fields.
    num_axes: the number of axes behind the width.

  Returns:
    `[*batch, out_height, out_width, kernel_height, kernel_width, ...]`.

  Raises:
    ValueError: if a receptive field is larger than the grid.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import ops
    >>> row = jnp.arange(4.0).reshape(1, 4)
    >>> fields = ops.receptive_fields(
    ...   row, kernel_size=(1, 2), strides=(1, 1), num_axes=0
    ... )
    >>> print(fields[0, :, 0])
    [[0. 1.]
     [1. 2.]
     [2. 3.]]
  """
  axis = grid.ndim - num_axes - 2
  sizes = grid.shape[axis : axis + 2]
  if any(k > size for k, size in zip(kernel_size, sizes, strict=True)):
    raise ValueError(
      f'a receptive field of {kernel_size} is larger than the grid {sizes}'
    )
  counts = [
    (size - k) // s + 1
    for size, k, s in zip(sizes, kernel_size, strides, strict=True)
  ]

  def tap(y, x):
    fields = grid
    for i, first in enumerate((y, x)):
      stop = first + (counts[i] - 1) * strides[i] + 1
      fields = lax.slice_in_dim(fields, first, stop, strides[i], axis + i)
    return fields

  rows = [
    jnp.stack([tap(y, x) for x in range(kernel_size[1])], axis + 2)
    for y in range(kernel_size[0])
  ]
  return jnp.stack(rows, axis + 2)
