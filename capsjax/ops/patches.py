"""A convolution as one matrix product over patches of the image.

The patches take kernel height x kernel width times the image's memory, so this
suits few input channels, small kernels, or small batches.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.sizes import assumed_size
from capsjax.ops.window import Window

Patches = Float[Array, 'out_height out_width batch taps_and_in_channels']


def size(
  window: Window, inputs: Float[Array, 'batch height width in_channels']
) -> int:
  """Returns how many numbers the patches hold."""
  batch, channels = assumed_size(inputs.shape[0]), inputs.shape[-1]
  return batch * math.prod((*window.outputs, *window.kernel, channels))


def forward(
  window: Window,
  inputs: Float[Array, 'batch height width in_channels'],
  kernel: Float[Array, 'kernel_height kernel_width in_channels out_channels'],
) -> Float[Array, 'batch out_height out_width out_channels']:
  """Computes the convolution."""
  taken = extract(window, inputs)
  outputs = jnp.matmul(taken, kernel.reshape(-1, kernel.shape[-1]))
  return outputs.transpose(2, 0, 1, 3)


def backward(
  window: Window,
  inputs: Float[Array, 'batch height width in_channels'],
  kernel: Float[Array, 'kernel_height kernel_width in_channels out_channels'],
  cotangent: Float[Array, 'batch out_height out_width out_channels'],
) -> tuple[
  Float[Array, 'batch height width in_channels'],
  Float[Array, 'kernel_height kernel_width in_channels out_channels'],
]:
  """Computes the gradients with respect to inputs and kernel."""
  taken, transpose = jax.vjp(functools.partial(extract, window), inputs)
  rows = cotangent.transpose(1, 2, 0, 3).reshape(-1, kernel.shape[-1])
  d_kernel = taken.reshape(len(rows), taken.shape[-1]).T @ rows
  d_patches = rows @ kernel.reshape(-1, kernel.shape[-1]).T
  (d_inputs,) = transpose(d_patches.reshape(taken.shape))
  return d_inputs, d_kernel.reshape(kernel.shape)


def extract(
  window: Window, inputs: Float[Array, 'batch height width in_channels']
) -> Patches:
  """Extracts the patch that the kernel covers at each output."""
  (kh, kw), (sh, sw), (oh, ow) = window.kernel, window.strides, window.outputs
  padding = ((0, 0), *window.padding, (0, 0))
  padded = jnp.pad(inputs, padding).transpose(1, 2, 0, 3)
  taps = [
    lax.slice(
      padded,
      (row, column, 0, 0),
      (
        row + sh * (oh - 1) + 1,
        column + sw * (ow - 1) + 1,
        *padded.shape[2:],
      ),
      (sh, sw, 1, 1),
    )
    for row in range(kh)
    for column in range(kw)
  ]
  return jnp.concatenate(taps, -1)
