"""A convolution that is also fast on a CPU, forward and backward.

On a CPU, XLA's gradient of a convolution with a large kernel is about a hundred
times slower than its arithmetic requires. There `convolution` uses matrix
products instead, over patches or over Fourier transforms of tiles (see
`bilinear.py`), whichever `choose_tile` finds cheaper. On a GPU or TPU it is
`lax.conv_general_dilated`. On a GPU, where XLA's gradients of a strided kernel
are slow, it first splits the strides into phases (see `phases.py`).
"""

import math

import jax
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops import (
  bilinear,
  patches,
  phases,
)
from capsjax.ops.arguments import require_floating
from capsjax.ops.convolution_cost import choose_tile
from capsjax.ops.operation import Method, Operation
from capsjax.ops.precision import at_least_float32
from capsjax.ops.sizes import assumed_size
from capsjax.ops.window import Window


def convolution(
  inputs: Float[Array, '*batch height width in_channels'],
  kernel: Float[Array, 'kernel_height kernel_width in_channels out_channels'],
  *,
  strides: tuple[int, int] = (1, 1),
  padding: str = 'VALID',
) -> Float[Array, '*batch out_height out_width out_channels']:
  """Correlates images with a kernel, as `lax.conv_general_dilated` does.

  Args:
    inputs: images, channels last.
    kernel: weights, of the images' dtype.
    strides: the step between outputs, vertically and horizontally.
    padding: 'VALID' keeps only outputs whose window lies inside the image;
      'SAME' pads with zeros to `ceil(size / stride)` outputs.

  Returns:
    Feature maps, channels last. In float32 they match the direct sum to a
    relative error of 1e-5.

  Raises:
    ValueError: if the padding is unknown, the kernel is larger than an unpadded
      image, or the arrays do not fit together.

  Examples:
    A kernel of ones sums each 2x2 window:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import convolution
    >>> image = jnp.arange(9.0).reshape(3, 3, 1)
    >>> sums = convolution(image, jnp.ones((2, 2, 1, 1)))
    >>> print(np.asarray(sums[..., 0]).round(2))
    [[ 8. 12.]
     [20. 24.]]
  """
  _require_fit(inputs, kernel)
  batch, image_shape = inputs.shape[:-3], inputs.shape[-3:]
  if padding not in ('VALID', 'SAME'):
    raise ValueError(f"padding must be 'VALID' or 'SAME', not {padding!r}")
  window = Window.create(image_shape[:2], kernel.shape[:2], strides, padding)
  if min(window.outputs) < 1:
    raise ValueError(
      f'a kernel of {kernel.shape[:2]} does not fit into an image of '
      f'{image_shape[:2]} with padding {padding!r}'
    )
  flat = inputs.reshape(math.prod(batch), *image_shape)
  (outputs,) = _convolution(window, flat, kernel)
  return outputs.reshape(*batch, *outputs.shape[1:])


def _require_fit(inputs, kernel):
  require_floating(inputs=inputs, kernel=kernel)
  if kernel.ndim != 4 or inputs.ndim < 3 or inputs.shape[-1] != kernel.shape[2]:
    raise ValueError(
      'inputs must be [*batch, height, width, in_channels] and the kernel '
      '[kernel_height, kernel_width, in_channels, out_channels]; their shapes '
      f'are {inputs.shape} and {kernel.shape}'
    )
  if inputs.dtype != kernel.dtype:
    raise ValueError(
      f'inputs are {inputs.dtype} and the kernel is {kernel.dtype}; give them '
      'one dtype'
    )


def _choose(platform, window, inputs, kernel):
  if platform == 'cpu':
    return _choose_on_cpu(window, inputs, kernel)
  return Method(_on_cuda if platform == 'cuda' else _direct)


def _choose_on_cpu(window, inputs, kernel):
  tile = choose_tile(window, assumed_size(inputs.shape[0]), *kernel.shape[2:])
  if tile is not None:
    return Method(
      _widely(bilinear.forward, tile), _widely(bilinear.backward, tile)
    )
  # XLA's own is faster forward, unless it has to transpose a large kernel.
  is_large = kernel.size > patches.size(window, inputs)
  forward = patches.forward if is_large else _direct
  return Method(_widely(forward), _widely(patches.backward))


def _widely(function, *first):
  """Computes in float32 at least: sums in half precision would lose bits."""

  def call(window, *arrays):
    dtype = arrays[0].dtype
    wide = [array.astype(at_least_float32(dtype)) for array in arrays]
    results = function(window, *first, *wide)
    return jax.tree.map(lambda result: result.astype(dtype), results)

  return call


def _direct(window, inputs, kernel):
  return lax.conv_general_dilated(
    inputs,
    kernel,
    window.strides,
    window.padding,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _on_cuda(window, inputs, kernel):
  # If a strided kernel covers the outputs, XLA computes its gradients as
  # convolutions with filters of mostly zeros: seven times the arithmetic for
  # the paper's 9x9 kernel.
  covers = all(
    k >= m for k, m in zip(window.kernel, window.outputs, strict=True)
  )
  if window.strides != (1, 1) and covers:
    window, inputs, kernel = phases.to_stride_one(window, inputs, kernel)
  return _direct(window, inputs, kernel)


_convolution = Operation(
  name='convolution',
  argument_axes=(0, None),
  result_axes=(0,),
  choose=_choose,
)
