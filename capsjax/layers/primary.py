"""The first capsule layer: from pixels or feature maps to capsules."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers.convolution import Convolution


class PrimaryCapsules(nn.Module):
  """Turns feature maps into a grid of squashed capsules (paper, section 4).

  The cell, which computes the capsules, can be any module that maps images to
  feature maps with `num_types * capsule_dim` channels.

  Attributes:
    num_types: the number of capsule types, 32 in the paper.
    capsule_dim: the dimension of a capsule, 8 in the paper.
    kernel_size: the kernel size of the default cell, a convolution.
    strides: the strides of the default cell.
    padding: the padding of the default cell, 'VALID' or 'SAME'.
    cell: computes the capsules; by default a convolution without a bias.
    scale: multiplies the cell's output before the bias is added. The scale of
      the official code's single routing step over the types is `1 / num_types`.
    use_bias: whether to add a bias to each type and dimension.
    squash_fn: the non-linearity.
    kernel_init: initialises the kernel of the default cell.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.
  """

  num_types: int = 32
  capsule_dim: int = 8
  kernel_size: tuple[int, int] = (9, 9)
  strides: tuple[int, int] = (2, 2)
  padding: str = 'VALID'
  cell: nn.Module | None = None
  scale: float = 1.0
  use_bias: bool = True
  squash_fn: ops.SquashFn = ops.squash
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: Float[Array, '*batch height width channels']
  ) -> Float[Array, '*batch num_capsules capsule_dim']:
    """Maps feature maps to capsules, ordered by position and then by type."""
    cell = self.cell
    if cell is None:
      cell = Convolution(
        self.num_types * self.capsule_dim,
        self.kernel_size,
        self.strides,
        self.padding,
        use_bias=False,
        kernel_init=self.kernel_init,
        dtype=self.dtype,
        param_dtype=self.param_dtype,
        name='cell',
      )
    features = cell(inputs)
    shape = (self.num_types, self.capsule_dim)
    if features.shape[-1] != self.num_types * self.capsule_dim:
      raise ValueError(
        f'the cell must give num_types * capsule_dim = '
        f'{self.num_types * self.capsule_dim} channels, not '
        f'{features.shape[-1]}'
      )
    preactivations = features.reshape(*features.shape[:-1], *shape)
    if self.scale != 1:  # multiplying by 1 would cost a pass over memory
      preactivations *= self.scale
    if self.use_bias:
      bias = self.param('bias', self.bias_init, shape, self.param_dtype)
      bias = bias.astype(preactivations.dtype)
      preactivations += jnp.broadcast_to(bias, preactivations.shape)
    capsules = self.squash_fn(preactivations)
    return capsules.reshape(*inputs.shape[:-3], -1, self.capsule_dim)
