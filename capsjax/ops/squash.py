"""The length of a capsule and the squash non-linearity, safe everywhere.

A plain norm has the gradient 0 / 0 at zero, and its square overflows or
underflows long before the number itself does. Both functions here divide by
the largest component first, so that the squares lie between 0 and 1.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.precision import at_least_float32


def _scale_and_direction(
  vectors: Float[Array, '...'], *, axis: int
) -> tuple[Float[Array, '...'], Float[Array, '...'], Float[Array, '...']]:
  """Splits vectors into `scale * norm * direction`, without 0 / 0.

  Args:
    vectors: vectors along `axis`, float32 or wider.
    axis: the axis of the vectors' components.

  Returns:
    `scale` (largest magnitude, or 1 for a zero vector), `norm` (of the vector
    divided by `scale`; 0 for a zero vector) and the unit `direction` (0 for a
    zero vector). Their product does not depend on `scale`, which therefore
    carries no gradient.
  """
  largest = lax.stop_gradient(jnp.max(jnp.abs(vectors), axis, keepdims=True))
  is_zero = largest == 0
  scale = jnp.where(is_zero, jnp.ones_like(largest), largest)
  scaled = vectors / scale
  squares = jnp.sum(jnp.square(scaled), axis, keepdims=True)
  # The inner `where` keeps sqrt'(0) = inf out of the gradient's product.
  root = jnp.sqrt(jnp.where(is_zero, jnp.ones_like(squares), squares))
  norm = jnp.where(is_zero, jnp.zeros_like(root), root)
  return scale, norm, scaled / root


def lengths(
  capsules: Float[Array, '...'], *, axis: int = -1
) -> Float[Array, '...']:
  """The Euclidean length of each capsule, with gradient 0 at a zero capsule.

  Args:
    capsules: capsules `[*batch, num_capsules, dim]`, of any magnitude.
    axis: the axis of the capsules' dimension, which is removed.

  Returns:
    Lengths `[*batch, num_capsules]`, at least 0; of a squashed capsule, below
    1: the evidence that the entity is present (paper, section 2).
  """
  wide = capsules.astype(at_least_float32(capsules.dtype))
  scale, norm, _ = _scale_and_direction(wide, axis=axis)
  return jnp.squeeze(scale * norm, axis).astype(capsules.dtype)


def squash(
  preactivations: Float[Array, '...'], *, axis: int = -1
) -> Float[Array, '...']:
  """Shrinks vectors to a length below 1 and keeps their direction.

  Equation 1: `v = |s|^2 / (1 + |s|^2) * s / |s|`, with no epsilon. Value and
  gradient are 0 at 0, and finite at every magnitude that the dtype holds.

  Args:
    preactivations: vectors `[*batch, num_capsules, dim]`.
    axis: the axis of a capsule's own dimension.

  Returns:
    Capsules of the same shape and dtype.

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 1.
  """
  wide = preactivations.astype(at_least_float32(preactivations.dtype))
  scale, norm, direction = _scale_and_direction(wide, axis=axis)
  # From here on |s|^2 / (1 + |s|^2) rounds to 1, and |s|^2 cannot overflow.
  saturated = jnp.asarray(4 / jnp.sqrt(jnp.finfo(wide.dtype).eps), wide.dtype)
  square = jnp.square(jnp.minimum(scale * norm, saturated))
  return (direction * (square / (1 + square))).astype(preactivations.dtype)
