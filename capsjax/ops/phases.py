"""Strided convolution as one of stride 1, with the phases as channels.

With stride s and k taps, output q sums over inputs s q to s q + k - 1. Input
s q + p is element q of phase p. Each phase is convolved with stride 1 and with
every s-th tap of the kernel, ceil(k / s) of them, and the s results are added.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.window import Window


def taps(window: Window) -> tuple[int, int]:
  """Returns the kernel's size within one phase."""
  (kh, kw), (sh, sw) = window.kernel, window.strides
  return -(-kh // sh), -(-kw // sw)


def split_inputs(
  window: Window,
  inputs: Float[Array, 'batch height width channels'],
  size: tuple[int, int],
) -> Float[Array, 'batch rows row_phases columns column_phases channels']:
  """Splits padded images into phases of `size`, a view of the padded images.

  Args:
    window: the geometry of the convolution.
    inputs: images.
    size: rows and columns of each phase. At the bottom and the right, zeros are
      added or inputs that no output reads are cut off.
  """
  batch, height, width, channels = inputs.shape
  (sh, sw), (rows, columns) = window.strides, size
  (top, _), (left, _) = window.padding
  padding = (
    (0, 0, 0),
    (top, sh * rows - height - top, 0),
    (left, sw * columns - width - left, 0),
    (0, 0, 0),
  )
  padded = lax.pad(inputs, jnp.zeros((), inputs.dtype), padding)
  return padded.reshape(batch, rows, sh, columns, sw, channels)


def split_kernel(
  window: Window,
  kernel: Float[Array, 'kernel_height kernel_width in_channels out_channels'],
) -> Float[Array, 'taps_height taps_width phases_and_channels out_channels']:
  """Splits a kernel, padded with zero taps, into one kernel per phase."""
  (sh, sw), (th, tw) = window.strides, taps(window)
  (kh, kw), (channels, features) = window.kernel, kernel.shape[2:]
  padding = ((0, sh * th - kh), (0, sw * tw - kw), (0, 0), (0, 0))
  phases = jnp.pad(kernel, padding).reshape(th, sh, tw, sw, channels, features)
  return phases.transpose(0, 2, 1, 3, 4, 5).reshape(
    th, tw, sh * sw * channels, features
  )


def to_stride_one(
  window: Window,
  inputs: Float[Array, 'batch height width in_channels'],
  kernel: Float[Array, 'kernel_height kernel_width in_channels out_channels'],
) -> tuple[
  Window,
  Float[Array, 'batch rows columns phases_and_channels'],
  Float[Array, 'taps_height taps_width phases_and_channels out_channels'],
]:
  """Returns window, inputs and kernel of the same convolution at stride 1."""
  rows, columns = (
    outputs + size - 1
    for outputs, size in zip(window.outputs, taps(window), strict=True)
  )
  phases = split_inputs(window, inputs, (rows, columns))
  return (
    Window(taps(window), (1, 1), ((0, 0), (0, 0)), window.outputs),
    phases.transpose(0, 1, 3, 2, 4, 5).reshape(
      inputs.shape[0], rows, columns, -1
    ),
    split_kernel(window, kernel),
  )
