"""A convolution that is fast on the CPU too, forward and backward.

XLA's gradient of a convolution with a large kernel is about a hundred times
slower on a CPU than the arithmetic asks for. `convolution` therefore computes
it there as matrix products, in one of two ways that `choose_tile` picks by
their cost: over patches, or over the Fourier transforms of tiles (see
`bilinear.py`). On a GPU or TPU it is `lax.conv_general_dilated`, on a GPU over
the strides' phases where XLA's gradients of a strided kernel are slow.
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
    Feature maps, channels last; within 1e-5 relative of the direct sum in
    float32.

  Raises:
    ValueError: if the padding is unknown, or the kernel larger than an image
      that is not padded.
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


# The platform is chosen inside the forward and inside the backward pass: a
# derivative taken through the choice would keep the residuals of all platforms.
# Patches and transforms are no residuals either, for they would be kept on
# every platform. The backward pass computes them again, which costs nothing
# where one program holds both passes: XLA merges equal computations.
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

  return lax.platform_dependent(
    *saved,
    cotangent,
    cpu=_cpu_method(window, *saved).backward,
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
  # XLA writes the gradients of a strided kernel that covers the outputs as
  # convolutions with filters that are mostly zeros: seven times the arithmetic
  # of the paper's 9x9 kernel.
  covers = all(
    k >= m for k, m in zip(window.kernel, window.outputs, strict=True)
  )
  if window.strides != (1, 1) and covers:
    window, inputs, kernel = phases.to_stride_one(window, inputs, kernel)
  return _direct(window, inputs, kernel)


class _Method(NamedTuple):
  """A way of computing a convolution, and its gradients from a cotangent."""

  forward: Callable[..., jax.Array]
  backward: Callable[..., tuple[jax.Array, jax.Array]]


def _cpu_method(window, inputs, kernel):
  """The cheapest way for these shapes."""
  tile = choose_tile(window, len(inputs), *kernel.shape[2:])
  partial = functools.partial
  if tile is None:
    return _Method(
      partial(patches.forward, window), partial(patches.backward, window)
    )
  return _Method(
    partial(bilinear.forward, window, tile),
    partial(bilinear.backward, window, tile),
  )
