"""A convolution that is also fast on a CPU, forward and backward.

On a CPU, XLA's gradient of a convolution with a large kernel is about a hundred
times slower than its arithmetic requires. There `convolution` uses matrix
products instead, over patches or over Fourier transforms of tiles (see
`bilinear.py`), whichever `choose_tile` finds cheaper. On a GPU or TPU it is
`lax.conv_general_dilated`. On a GPU, where XLA's gradients of a strided kernel
are slow, it first splits the strides into phases (see `phases.py`).
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops import (
  bilinear,
  patches,
  phases,
)
from capsjax.ops.convolution_cost import choose_tile
from capsjax.ops.manual_axes import sum_like
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
    ValueError: if the padding is unknown, or the kernel is larger than an
      unpadded image.
  """
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
  outputs = _convolution(window, flat, kernel)
  return outputs.reshape(*batch, *outputs.shape[1:])


# The platform is chosen separately in the forward and the backward pass:
# differentiating through the choice would save the residuals of all platforms.
# The backward pass recomputes patches and transforms, since as residuals they
# would be kept on every platform. That is free if one program contains both
# passes: XLA merges equal computations.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolution(window, inputs, kernel):
  return lax.platform_dependent(
    inputs,
    kernel,
    cpu=_cpu_method(window, inputs, kernel).forward,
    cuda=functools.partial(_on_cuda, window),
    default=functools.partial(_direct, window),
  )


def _forward(window, inputs, kernel):
  return _convolution(window, inputs, kernel), (inputs, kernel)


def _backward(window, saved, cotangent):
  def derived(forward, inputs, kernel, cotangent):
    return jax.vjp(functools.partial(forward, window), inputs, kernel)[1](
      cotangent
    )

  def on_cpu(inputs, kernel, cotangent):
    gradients = _cpu_method(window, *saved).backward(inputs, kernel, cotangent)
    return sum_like(gradients, (inputs, kernel))

  return lax.platform_dependent(
    *saved,
    cotangent,
    cpu=on_cpu,
    cuda=functools.partial(derived, _on_cuda),
    default=functools.partial(derived, _direct),
  )


_convolution.defvjp(_forward, _backward)


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


class _Method(NamedTuple):
  """A way to compute a convolution and, from a cotangent, its gradients."""

  forward: Callable[..., jax.Array]
  backward: Callable[..., tuple[jax.Array, jax.Array]]


def _cpu_method(window, inputs, kernel):
  """Returns the cheapest method for these shapes."""
  tile = choose_tile(window, assumed_size(inputs.shape[0]), *kernel.shape[2:])
  partial = functools.partial
  if tile is None:
    return _Method(
      partial(patches.forward, window), partial(patches.backward, window)
    )
  return _Method(
    partial(bilinear.forward, window, tile),
    partial(bilinear.backward, window, tile),
  )
