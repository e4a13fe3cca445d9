"""A convolutional layer whose gradient is fast on every backend."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops


class Convolution(nn.Module):
  """`nn.Conv` for images, computed by `ops.convolution`.

  Attributes:
    features: the number of output channels.
    kernel_size: the kernel's height and width.
    strides: the step between outputs.
    padding: 'VALID' or 'SAME'.
    use_bias: whether to add a bias to each output channel.
    kernel_init: initialises the kernel.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    The parameters are those of `nn.Conv`, and so are the outputs:

    >>> import jax
    >>> import numpy as np
    >>> from capsjax import Convolution
    >>> from flax import linen as nn
    >>> images = jax.random.uniform(jax.random.key(0), (2, 12, 12, 3))
    >>> layer = Convolution(features=5, kernel_size=(9, 9))
    >>> features, variables = layer.init_with_output(jax.random.key(1), images)
    >>> conv = nn.Conv(features=5, kernel_size=(9, 9), padding='VALID')
    >>> np.testing.assert_allclose(
    ...   features, conv.apply(variables, images), atol=1e-4
    ... )
  """

  features: int
  kernel_size: tuple[int, int]
  strides: tuple[int, int] = (1, 1)
  padding: str = 'VALID'
  use_bias: bool = True
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: Float[Array, '*batch height width channels']
  ) -> Float[Array, '*batch out_height out_width features']:
    """Maps images to feature maps."""
    shape = (*self.kernel_size, inputs.shape[-1], self.features)
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    dtype = self.dtype or inputs.dtype
    outputs = ops.convolution(
      inputs.astype(dtype),
      kernel.astype(dtype),
      strides=self.strides,
      padding=self.padding,
    )
    if self.use_bias:
      bias = self.param(
        'bias', self.bias_init, (self.features,), self.param_dtype
      )
      outputs += jnp.broadcast_to(bias.astype(dtype), outputs.shape)
    return outputs
