"""What input capsules predict for the capsules of the layer above: votes."""

import math
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops


@runtime_checkable
class Votes(Protocol):
  """A module that computes votes; a part of `RoutedCapsules`."""

  def __call__(self, inputs: ops.Capsules) -> Float[Array, '...']:
    """Returns votes `[*batch, in_caps, out_caps, *pose]`."""


class FullVotes(nn.Module):
  """A full transformation matrix for each pair of capsules.

  Poses count as vectors, as in Eq. 2 of "Dynamic Routing Between Capsules".

  Attributes:
    num_capsules: the number of output capsules.
    pose_shape: the shape of an output pose.
    kernel_init: initialises the matrices, of shape `[in_caps, num_capsules,
      in_dim, out_dim]`.
    dtype: the dtype of the computation; that of the poses if None.
    param_dtype: the dtype of the matrices.
  """

  num_capsules: int
  pose_shape: tuple[int, ...]
  kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.1)
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs: ops.Capsules) -> Float[Array, '...']:
    """Returns votes `[*batch, in_caps, num_capsules, *pose_shape]`."""
    dtype = self.dtype or inputs.poses.dtype
    *batch, in_caps = inputs.activations.shape
    in_dim = math.prod(inputs.poses.shape[inputs.activations.ndim :])
    poses = inputs.poses.reshape(*batch, in_caps, in_dim)
    out_dim = math.prod(self.pose_shape)
    shape = in_caps, self.num_capsules, in_dim, out_dim
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    votes = ops.compute_votes(poses.astype(dtype), kernel.astype(dtype))
    return votes.reshape(*batch, in_caps, self.num_capsules, *self.pose_shape)
