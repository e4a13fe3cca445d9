"""A convolution that is fast on the CPU too, forward and backward.

XLA's gradient of a convolution with a large kernel is about a hundred times
slower on a CPU than the arithmetic asks for. `convolution` therefore computes
it there as matrix products, in one of two ways that `choose_tile` picks by
their cost: over patches, or over the Fourier transforms of tiles (see
`bilinear.py`). On a GPU or TPU it is `lax.conv_general_dilated`.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops import bilinear, patches
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


# The choice of platform stands inside the forward and the backward pass: a
# derivative taken through the choice would keep the residuals of both sides.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _convolution(window, inputs, kernel):
  return _forward(window, inputs, kernel)[0]


def _forward(window, inputs, kernel):
  on_cpu, _ = _cpu_method(window, inputs, kernel)
  shapes = jax.eval_shape(on_cpu, inputs, kernel)[1]

  def elsewhere(inputs, kernel):
    # The CPU's residuals, which no other platform reads: compiled away where
    # one program holds both passes, as a training step does.
    unused = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
    return _direct(window, inputs, kernel), unused

  outputs, residuals = lax.platform_dependent(
    inputs, kernel, cpu=on_cpu, default=elsewhere
  )
  return outputs, (inputs, kernel, residuals)


def _backward(window, saved, cotangent):
  inputs, kernel, _ = saved
  _, on_cpu = _cpu_method(window, inputs, kernel)

  def elsewhere(inputs, kernel, residuals, cotangent):
    del residuals
    direct = functools.partial(_direct, window)
    return jax.vjp(direct, inputs, kernel)[1](cotangent)

  return lax.platform_dependent(
    *saved, cotangent, cpu=on_cpu, default=elsewhere
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


def _cpu_method(window, inputs, kernel):
  """The cheapest forward and backward function for these shapes."""
  tile = choose_tile(window, len(inputs), *kernel.shape[2:])
  partial = functools.partial
  if tile is None:
    return partial(patches.forward, window), partial(patches.backward, window)
  return (
    partial(bilinear.forward, window, tile),
    partial(bilinear.backward, window, tile),
  )
