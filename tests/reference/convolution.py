"""A strided, padded correlation, output by output and tap by tap."""

import math

import numpy as np


def padding_before(size: int, taps: int, stride: int, padding: str) -> int:
  """Counts zeros before an image: with 'SAME' half of all, rounded down."""
  if padding == 'VALID':
    return 0
  covered = (num_outputs(size, taps, stride, padding) - 1) * stride + taps
  return max(covered - size, 0) // 2


def num_outputs(size: int, taps: int, stride: int, padding: str) -> int:
  """Returns the number of outputs along one side of an image."""
  return math.ceil((size if padding == 'SAME' else size - taps + 1) / stride)


def convolution(
  inputs: np.ndarray,
  kernel: np.ndarray,
  *,
  strides: tuple[int, int] = (1, 1),
  padding: str = 'VALID',
) -> np.ndarray:
  """Correlates images `[batch, h, w, c]` with a kernel `[kh, kw, c, o]`."""
  batch, height, width, _ = inputs.shape
  kh, kw, _, features = kernel.shape
  (sh, sw) = strides
  top = padding_before(height, kh, sh, padding)
  left = padding_before(width, kw, sw, padding)
  outputs = np.zeros(
    (
      batch,
      num_outputs(height, kh, sh, padding),
      num_outputs(width, kw, sw, padding),
      features,
    )
  )
  for b, y, x in np.ndindex(outputs.shape[:3]):
    for dy, dx in np.ndindex(kh, kw):
      row, column = y * sh + dy - top, x * sw + dx - left
      if 0 <= row < height and 0 <= column < width:
        for o in range(features):
          outputs[b, y, x, o] += float(
            np.dot(inputs[b, row, column], kernel[dy, dx, :, o])
          )
  return outputs
