"""A depthwise convolution whose kernel is as large as the feature map."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float


class WholeMapConvolution(nn.Module):
  """A weighted sum over all positions, with weights of its own per channel.

  The same as `nn.Conv` with VALID padding, a kernel of the size of the map, and
  as many groups as channels, but a single product for XLA.

  Attributes:
    use_bias: whether to add a bias to each channel.
    kernel_init: initialises the kernel, of shape `[height, width, 1,
      channels]`.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers
    >>> layer = layers.WholeMapConvolution()
    >>> features, _ = layer.init_with_output(
    ...   jax.random.key(0), jnp.zeros((2, 9, 9, 128))
    ... )
    >>> features.shape
    (2, 1, 1, 128)
  """

  use_bias: bool = True
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: Float[Array, '*batch height width channels']
  ) -> Float[Array, '*batch 1 1 channels']:
    """Maps feature maps to maps of one position."""
    dtype = self.dtype or inputs.dtype
    height, width, channels = inputs.shape[-3:]
    shape = height, width, 1, channels
    kernel = self.param('kernel', self.kernel_init, shape, self.param_dtype)
    outputs = jnp.einsum(
      '...hwc,hwc->...c', inputs.astype(dtype), kernel.astype(dtype)[:, :, 0]
    )
    if self.use_bias:
      bias = self.param('bias', self.bias_init, (channels,), self.param_dtype)
      outputs += jnp.broadcast_to(bias.astype(dtype), outputs.shape)
    return outputs[..., None, None, :]
