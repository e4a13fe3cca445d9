"""The decoder that reconstructs an image from class capsules."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float


class Decoder(nn.Module):
  """Fully connected layers from masked capsules to pixels (section 4.1).

  Attributes:
    image_shape: height, width and channels of the reconstruction.
    hidden_sizes: the sizes of the hidden layers, each followed by a ReLU.
    kernel_init: initialises all kernels.
    bias_init: initialises all biases.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import Decoder, mask_capsules
    >>> capsules = jax.random.normal(jax.random.key(0), (2, 10, 16))
    >>> mask = jax.nn.one_hot(jnp.array([7, 3]), 10)
    >>> decoder = Decoder(image_shape=(28, 28, 1))
    >>> pixels, _ = decoder.init_with_output(
    ...   jax.random.key(1), mask_capsules(capsules, mask)
    ... )
    >>> pixels.shape
    (2, 28, 28, 1)
  """

  image_shape: tuple[int, ...]
  hidden_sizes: Sequence[int] = (512, 1024)
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, capsules: Float[Array, '*batch num_capsules dim']
  ) -> Float[Array, '*batch height width channels']:
    """Decodes masked capsules, zero except for the chosen ones, to images."""
    *batch, num_capsules, dim = capsules.shape
    hidden = capsules.reshape(*batch, num_capsules * dim)
    for size in self.hidden_sizes:
      hidden = nn.relu(self._dense(size)(hidden))
    pixels = nn.sigmoid(self._dense(math.prod(self.image_shape))(hidden))
    return pixels.reshape(*batch, *self.image_shape)

  def _dense(self, size):
    return nn.Dense(
      size,
      kernel_init=self.kernel_init,
      bias_init=self.bias_init,
      dtype=self.dtype,
      param_dtype=self.param_dtype,
    )
