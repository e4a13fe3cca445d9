"""Capsule lengths and two squashes, numerically safe at every magnitude.

A plain norm has gradient 0 / 0 at zero, and its square overflows or underflows
long before the norm does. The functions here first scale very long and very
short vectors to the middle of their dtype's range.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.arguments import require_floating
from capsjax.ops.precision import at_least_float32

# Traced once per shape and inlined into the caller: a network squashes in every
# routing iteration and in every derivative of it.
_trace_once = functools.partial(jax.jit, static_argnames='axis', inline=True)


@_trace_once
def _length_and_direction(
  vectors: Float[Array, '...'], *, axis: int
) -> tuple[Float[Array, '...'], Float[Array, '...']]:
  """Returns each vector's length and unit vector, both 0 for a zero vector.

  Args:
    vectors: vectors along `axis`, float32 or wider.
    axis: the axis of the vectors' components, kept with size 1 in the lengths.

  Returns:
    Lengths and directions.
  """
  # Scaling by a power of two is exact. Dividing by the largest component is
  # not, and XLA flushes the reciprocal of a very large one to 0.
  exponent = jnp.finfo(vectors.dtype).maxexp
  border, factor = 2.0 ** (exponent * 3 // 10), 2.0 ** (exponent * 6 // 10)
  largest = lax.stop_gradient(jnp.max(jnp.abs(vectors), axis, keepdims=True))
  is_long, is_short = largest > border, largest < 1 / border

  def choose(if_long, if_short):
    chosen = jnp.where(is_long, if_long, jnp.where(is_short, if_short, 1.0))
    return chosen.astype(vectors.dtype)

  scaled = vectors * choose(1 / factor, factor)
  squares = jnp.sum(jnp.square(scaled), axis, keepdims=True)
  is_zero = squares == 0
  # The inner `where` keeps sqrt'(0) = inf out of the gradient's product.
  root = jnp.sqrt(jnp.where(is_zero, jnp.ones_like(squares), squares))
  norm = jnp.where(is_zero, jnp.zeros_like(root), root)
  # A constant at zero: else a second derivative there is the scaling's factor.
  direction = jnp.where(is_zero, jnp.zeros_like(scaled), scaled / root)
  return norm * choose(factor, 1 / factor), direction


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _length(vectors, axis):
  return _length_and_direction(vectors, axis=axis)[0]


@_length.defjvp
def _length_jvp(axis, primals, tangents):
  # Differentiating the scaling would underflow for a short vector.
  (vectors,), (tangent,) = primals, tangents
  length, direction = _length_and_direction(vectors, axis=axis)
  return length, jnp.sum(direction * tangent, axis, keepdims=True)


def lengths(
  capsules: Float[Array, '...'], *, axis: int = -1
) -> Float[Array, '...']:
  """The Euclidean length of each capsule, with gradient 0 at a zero capsule.

  Args:
    capsules: capsules `[*batch, num_capsules, dim]`, of any magnitude.
    axis: the axis of the capsules' components, which is removed.

  Returns:
    Lengths `[*batch, num_capsules]`, at least 0. The length of a squashed
    capsule is below 1 and is the evidence that the entity is present (paper,
    section 2).

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import lengths
    >>> print(lengths(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [5. 0.]
  """
  require_floating(capsules=capsules)
  wide = capsules.astype(at_least_float32(capsules.dtype))
  return jnp.squeeze(_length(wide, axis), axis).astype(capsules.dtype)


def squash(
  preactivations: Float[Array, '...'], *, axis: int = -1
) -> Float[Array, '...']:
  """Shrinks vectors to a length below 1 and keeps their direction.

  Equation 1: `v = |s|^2 / (1 + |s|^2) * s / |s|`, with no epsilon. Value and
  gradient are 0 at 0, and finite at every magnitude that the dtype holds.

  Args:
    preactivations: vectors `[*batch, num_capsules, dim]`.
    axis: the axis of the capsules' components.

  Returns:
    Capsules of the same shape and dtype.

  Examples:
    Lengths of 3, 1/2 and 0 become 9/10, 1/5 and 0:

    >>> import jax.numpy as jnp
    >>> from capsjax import squash
    >>> print(squash(jnp.array([[3.0, 0.0], [0.0, 0.5], [0.0, 0.0]])))
    [[0.9 0. ]
     [0.  0.2]
     [0.  0. ]]

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 1.
  """
  require_floating(preactivations=preactivations)
  wide = preactivations.astype(at_least_float32(preactivations.dtype))
  return _squash(wide, axis=axis).astype(preactivations.dtype)


@_trace_once
def _squash(
  preactivations: Float[Array, '...'], *, axis: int
) -> Float[Array, '...']:
  length = _length(preactivations, axis)
  _, direction = _length_and_direction(preactivations, axis=axis)
  # For a short vector, direction times squared length would lose the gradient
  # to underflow; for a long one, the inverse length would.
  inner = jnp.minimum(length, 1)
  short = preactivations * (inner / (1 + jnp.square(inner)))
  # Above this length |s|^2 / (1 + |s|^2) rounds to 1. Capping the length there
  # keeps |s|^2 from overflowing.
  epsilon = jnp.finfo(preactivations.dtype).eps
  saturated = jnp.asarray(4 / jnp.sqrt(epsilon), preactivations.dtype)
  square = jnp.square(jnp.minimum(length, saturated))
  long = direction * (square / (1 + square))
  return jnp.where(length < 1, short, long)


def exponential_squash(
  preactivations: Float[Array, '...'], *, axis: int = -1
) -> Float[Array, '...']:
  """Shrinks vectors to a length below 1, keeping short ones as they are.

  `v = (1 - exp(-|s|)) * s / |s|`: unlike `squash`, whose gradient vanishes at
  0, this is nearly the identity there.

  Args:
    preactivations: vectors `[*batch, num_capsules, dim]`, of any magnitude.
    axis: the axis of the capsules' components.

  Returns:
    Capsules of the same shape and dtype.

  Examples:
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import ops
    >>> vectors = jnp.array([[0.01], [1.0], [10.0]])
    >>> print(np.asarray(ops.exponential_squash(vectors)).round(2)[:, 0])
    [0.01 0.63 1.  ]
    >>> print(np.asarray(ops.squash(vectors)).round(2)[:, 0])
    [0.   0.5  0.99]

  References:
    Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with
    self-attention routing", 2021.
  """
  require_floating(preactivations=preactivations)
  wide = preactivations.astype(at_least_float32(preactivations.dtype))
  return _exponential_squash(wide, axis=axis).astype(preactivations.dtype)


# Of (1 - exp(-x)) / x around 0. For x up to _SHORT, the first one that is left
# out is below the precision of float64.
_COEFFICIENTS = tuple((-1) ** k / math.factorial(k + 1) for k in range(9))
_SHORT = 1 / 32


@_trace_once
def _exponential_squash(
  preactivations: Float[Array, '...'], *, axis: int
) -> Float[Array, '...']:
  length = _length(preactivations, axis)
  _, direction = _length_and_direction(preactivations, axis=axis)
  # The derivative of (1 - exp(-x)) / x would be a difference of two large
  # numbers near 0, hence the series.
  inner, ratio = jnp.minimum(length, _SHORT), jnp.zeros_like(length)
  for coefficient in reversed(_COEFFICIENTS):
    ratio = ratio * inner + coefficient
  long = direction * -jnp.expm1(-length)
  return jnp.where(length < _SHORT, preactivations * ratio, long)
