"""Capsules with poses of any shape."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxtyping import Array, Float


class Capsules(NamedTuple):
  """Capsules, each with a pose and an activation.

  Attributes:
    poses: `[*batch, num_capsules, *pose]`; a pose is a vector, a matrix, or an
      array of any other shape.
    activations: `[*batch, num_capsules]`, the evidence that each capsule's
      entity is present, usually in [0, 1].

  Examples:
    Five capsules with 4x4 poses, in each of two examples:

    >>> import jax.numpy as jnp
    >>> from capsjax import ops
    >>> capsules = ops.Capsules(jnp.zeros((2, 5, 4, 4)), jnp.ones((2, 5)))
    >>> capsules.poses.shape[2:]
    (4, 4)
  """

  poses: Any
  activations: Any


# What a routing returns: the capsules of the layer above and, if asked for, the
# couplings of every iteration.
Routed = (
  Capsules
  | tuple[Capsules, Float[Array, 'num_iterations *batch in_caps out_caps']]
)

# Maps logarithms of positive weights [*batch, in_caps, out_caps] to couplings
# of the same shape: each weight divided by the sum over all parents that
# compete for the child.
NormalizeFn = Callable[[Float[Array, '...']], Float[Array, '...']]
