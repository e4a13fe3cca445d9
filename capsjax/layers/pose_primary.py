"""The first layer of capsules with poses and activations of their own."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers.convolution import Convolution
from capsjax.layers.routed import CapsuleNorm, normalized


class PosePrimaryCapsules(nn.Module):
  """Turns feature maps into a grid of capsules with poses and activations.

  Poses are a linear convolution; activations are another one, squashed to [0,
  1]. Neither has a bias.

  Attributes:
    num_types: the number of capsules at each position.
    pose_shape: the shape of a pose.
    kernel_size: the kernel size of both convolutions.
    strides: their strides.
    activation_fn: maps the second convolution to activations.
    norm: normalises the capsules; None for nothing.
    pose_init: initialises the first kernel.
    activation_init: initialises the second kernel.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers
    >>> layer = layers.PosePrimaryCapsules(num_types=3)
    >>> capsules, _ = layer.init_with_output(
    ...   jax.random.key(0), jnp.zeros((2, 14, 14, 32))
    ... )
    >>> capsules.poses.shape, capsules.activations.shape
    ((2, 14, 14, 3, 4, 4), (2, 14, 14, 3))

  References:
    Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", 2018.
  """

  num_types: int = 32
  pose_shape: tuple[int, ...] = (4, 4)
  kernel_size: tuple[int, int] = (1, 1)
  strides: tuple[int, int] = (1, 1)
  activation_fn: Callable[[Array], Array] = nn.sigmoid
  norm: CapsuleNorm | None = None
  pose_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  activation_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    inputs: Float[Array, '*batch height width channels'],
    *,
    train: bool = False,
    axis_name: str | None = None,
  ) -> ops.Capsules:
    """Maps feature maps to capsules.

    Args:
      inputs: the feature maps.
      train: whether to use, and to update, the statistics of the batch.
      axis_name: the device axis over which these are averaged, if any.

    Returns:
      Poses `[*batch, out_height, out_width, num_types, *pose_shape]`, and
      activations.
    """
    size = math.prod(self.pose_shape)
    poses = self._convolution('pose', self.num_types * size, self.pose_init)
    evidence = self._convolution(
      'activation', self.num_types, self.activation_init
    )
    activations = self.activation_fn(evidence(inputs))
    shape = *activations.shape, *self.pose_shape
    capsules = ops.Capsules(poses(inputs).reshape(shape), activations)
    return normalized(self, capsules, train=train, axis_name=axis_name)

  def _convolution(self, name, features, kernel_init):
    return Convolution(
      features,
      self.kernel_size,
      self.strides,
      use_bias=False,
      kernel_init=kernel_init,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
      name=name,
    )
