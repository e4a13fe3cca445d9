"""What capsules predict for the capsules of the layer above: their votes.

Votes and routings are parts of a capsule layer. Each is a module that holds
parameters; called with the shapes of its arguments, it returns a pure function,
which the layer may apply to one block of the batch after another.
"""

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops

# Maps capsules [*batch, in_caps] to votes [*batch, in_caps, out_caps, *pose].
VoteFn = Callable[[ops.Capsules], Float[Array, '...']]


@runtime_checkable
class Votes(Protocol):
  """A module that holds the parameters of votes."""

  def __call__(self, inputs: ops.Capsules) -> VoteFn:
    """Returns the function that computes the votes of such capsules.

    Args:
      inputs: capsules, of which only the shapes and dtypes matter.
    """


class FullVotes(nn.Module):
  """A full transformation matrix for each pair of capsules.

  Poses count as vectors, as in Eq. 2 of "Dynamic Routing Between Capsules".

  Attributes:
    num_capsules: the number of output capsules.
    pose_shape: the shape of an output pose.
    kernel_init: initialises the matrices, of shape `[in_caps, num_capsules,
      in_dim, out_dim]`.
    dtype: the dtype of the votes; that of the poses if None.
    param_dtype: the dtype of the matrices.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> votes = layers.FullVotes(num_capsules=3, pose_shape=(4,))
    >>> vote, variables = votes.init_with_output(jax.random.key(1), inputs)
    >>> vote(inputs).shape  # [batch, in, out, dim]
    (2, 6, 3, 4)
    >>> variables['params']['kernel'].shape
    (6, 3, 8, 4)
  """

  num_capsules: int
  pose_shape: tuple[int, ...]
  kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.1)
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs: ops.Capsules) -> VoteFn:
    """Returns the function that computes the votes."""
    in_caps, in_dim = inputs.activations.shape[-1], math.prod(_pose_of(inputs))
    shape = in_caps, self.num_capsules, in_dim, math.prod(self.pose_shape)
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)

    def vote(inputs):
      dtype, axes = self.dtype or inputs.poses.dtype, inputs.activations.shape
      poses = inputs.poses.astype(dtype).reshape(*axes, in_dim)
      votes = ops.compute_votes(poses, kernel.astype(dtype))
      return votes.reshape(*axes, self.num_capsules, *self.pose_shape)

    return vote


class MatrixVotes(nn.Module):
  """A small matrix for each pair of capsules, which multiplies a pose matrix.

  `V_ij = M_i W_ij`, from "Matrix Capsules with EM Routing": 16 weights for a
  pair of capsules with 4x4 poses.

  Attributes:
    num_capsules: the number of output capsules.
    kernel_init: initialises the matrices, of shape `[in_caps, num_capsules,
      side, side]`.
    dtype: the dtype of the votes; that of the poses if None.
    param_dtype: the dtype of the matrices.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> inputs = ops.Capsules(jnp.ones((2, 6, 4, 4)), jnp.ones((2, 6)))
    >>> votes = layers.MatrixVotes(num_capsules=3)
    >>> vote, variables = votes.init_with_output(jax.random.key(0), inputs)
    >>> vote(inputs).shape  # [batch, in, out, rows, columns]
    (2, 6, 3, 4, 4)
    >>> variables['params']['kernel'].shape
    (6, 3, 4, 4)
  """

  num_capsules: int
  kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.1)
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs: ops.Capsules) -> VoteFn:
    """Returns the function that computes the votes.

    Raises:
      ValueError: if the poses are no matrices.
    """
    pose = _pose_of(inputs)
    if len(pose) != 2:
      raise ValueError(f'MatrixVotes needs poses [rows, columns], not {pose}')
    shape = inputs.activations.shape[-1], self.num_capsules, pose[1], pose[1]
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)

    def vote(inputs):
      dtype = self.dtype or inputs.poses.dtype
      return jnp.einsum(
        '...iac,ijcd->...ijad',
        inputs.poses.astype(dtype),
        kernel.astype(dtype),
      )

    return vote


class ElementwiseVotes(nn.Module):
  """A weight for each component of a pose and each pair of capsules.

  From "No Routing Needed Between Capsules"; with `NoRouting` it makes
  homogeneous vector capsules.

  Attributes:
    num_capsules: the number of output capsules, whose poses have the shape of
      the inputs' poses.
    kernel_init: initialises the weights, of shape `[in_caps, num_capsules,
      *pose]`.
    dtype: the dtype of the votes; that of the poses if None.
    param_dtype: the dtype of the weights.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = jax.random.normal(jax.random.key(0), (2, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.full((2, 6), 0.5))
    >>> votes = layers.ElementwiseVotes(num_capsules=3)
    >>> vote, variables = votes.init_with_output(jax.random.key(1), inputs)
    >>> vote(inputs).shape  # [batch, in, out, dim]
    (2, 6, 3, 8)
    >>> variables['params']['kernel'].shape
    (6, 3, 8)
  """

  num_capsules: int
  kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.1)
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, inputs: ops.Capsules) -> VoteFn:
    """Returns the function that computes the votes."""
    shape = inputs.activations.shape[-1], self.num_capsules, *_pose_of(inputs)
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)

    def vote(inputs):
      dtype, rank = self.dtype or inputs.poses.dtype, inputs.activations.ndim
      poses = jnp.expand_dims(inputs.poses.astype(dtype), rank)
      votes = (*inputs.activations.shape, *kernel.shape[1:])
      weights = jnp.broadcast_to(kernel.astype(dtype), votes)
      return jnp.broadcast_to(poses, votes) * weights

    return vote


def _pose_of(inputs):
  """Returns the shape of a pose."""
  return inputs.poses.shape[inputs.activations.ndim :]
