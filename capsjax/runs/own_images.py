"""Checks images that a user gives to a trained network."""

from typing import Any

import numpy as np
from jaxtyping import Float32, UInt8

from capsjax.errors import UserError


def batched_images(
  images: Any, image_shape: tuple[int, int, int]
) -> tuple[
  UInt8[np.ndarray, 'n h w c'] | Float32[np.ndarray, 'n h w c'],
  tuple[int, ...],
]:
  """Returns images with one leading axis, and the leading axes they had.

  Args:
    images: `[*axes, height, width, channels]`, or without channels if there is
      one; uint8, or floats in [0, 1].
    image_shape: height, width and channels that the network takes.

  Raises:
    UserError: if the images have another size, type or range.
  """
  images = np.asarray(images)
  height, width, channels = image_shape
  if channels == 1 and images.shape[-2:] == (height, width):
    images = images[..., None]
  if images.shape[-3:] != image_shape:
    raise UserError(
      f'the images have the shape {images.shape}, but the network takes '
      f'[..., {height}, {width}, {channels}]; resize them'
    )
  axes = images.shape[:-3]
  images = images.reshape(-1, *image_shape)
  if images.dtype == np.uint8:
    return images, axes
  is_real = np.issubdtype(images.dtype, np.floating)
  if not is_real or (
    images.size and not (np.min(images) >= 0 and np.max(images) <= 1)
  ):
    found = f' from {np.min(images)} to {np.max(images)}' if images.size else ''
    raise UserError(
      f'the images are {images.dtype}{found}; give uint8 from 0 to 255, or '
      'floats in [0, 1]'
    )
  return images.astype(np.float32), axes
