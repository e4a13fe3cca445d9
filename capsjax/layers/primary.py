"""The first capsule layer: from pixels or feature maps to capsules."""

import math
from collections.abc import Callable
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
    num_grid_axes: the number of axes between batch and channels: 2 for images;
      1 for sequences and 3 for volumes, which need a cell.
    keep_grid: whether the output keeps these axes, for convolutional capsules.
    squash_fn: the non-linearity.
    kernel_init: initialises the kernel of the default cell.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    As in the paper, 20x20 features give 6x6 positions of 32 capsules:

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import PrimaryCapsules, lengths
    >>> features = jnp.zeros((2, 20, 20, 4))
    >>> layer = PrimaryCapsules()
    >>> capsules, _ = layer.init_with_output(jax.random.key(0), features)
    >>> capsules.shape
    (2, 1152, 8)

    Sequences and volumes need a cell, which may be any module:

    >>> from flax import linen as nn
    >>> layer = PrimaryCapsules(
    ...   num_types=4, cell=nn.Conv(4 * 8, (3,)), num_grid_axes=1
    ... )
    >>> capsules, _ = layer.init_with_output(
    ...   jax.random.key(0), jnp.zeros((2, 50, 3))
    ... )
    >>> capsules.shape
    (2, 200, 8)
  """

  num_types: int = 32
  capsule_dim: int = 8
  kernel_size: tuple[int, int] = (9, 9)
  strides: tuple[int, int] = (2, 2)
  padding: str = 'VALID'
  cell: Callable[..., Any] | None = None
  scale: float = 1.0
  use_bias: bool = True
  num_grid_axes: int = 2
  keep_grid: bool = False
  squash_fn: ops.SquashFn = ops.squash
  kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: Float[Array, '*batch_and_grid channels']
  ) -> Float[Array, '... capsule_dim']:
    """Maps feature maps to capsules, ordered by position and then by type.

    Args:
      inputs: `[*batch, *grid, channels]`; of images `[*batch, height, width,
        channels]`.

    Returns:
      Capsules `[*batch, num_capsules, capsule_dim]`, or `[*batch, *grid,
      num_types, capsule_dim]` with `keep_grid`.

    Raises:
      ValueError: if the cell gives another number of channels, or is a
        convolution over another number of axes.
    """
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
    require_grid(cell, self.num_grid_axes)
    features, bias = cell(inputs), None
    if self.use_bias:
      shape = self.num_types, self.capsule_dim
      bias = self.param('bias', self.bias_init, shape, self.param_dtype)
      bias = bias.astype(features.dtype)
    capsules = ops.primary_capsules(
      features,
      num_types=self.num_types,
      capsule_dim=self.capsule_dim,
      bias=bias,
      scale=self.scale,
      squash_fn=self.squash_fn,
    )
    if self.keep_grid:
      return capsules
    return flatten_grid(capsules, self.num_grid_axes)


def require_grid(cell: Any, num_grid_axes: int) -> None:
  """Refuses a convolution over another number of axes than the grid has."""
  num_axes = len(getattr(cell, 'kernel_size', ())) or num_grid_axes
  if num_axes != num_grid_axes:
    raise ValueError(
      f'the cell is a convolution over {num_axes} axes; set '
      f'num_grid_axes={num_axes}'
    )


def flatten_grid(
  capsules: Float[Array, '*batch_and_grid num_types capsule_dim'],
  num_grid_axes: int,
) -> Float[Array, '*batch num_capsules capsule_dim']:
  """Makes one axis of the grid and the types."""
  batch = capsules.shape[: -2 - num_grid_axes]
  num_capsules = math.prod(capsules.shape[len(batch) : -1])
  return capsules.reshape(*batch, num_capsules, capsules.shape[-1])
