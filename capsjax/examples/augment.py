"""Scaling and random shifts of images, on the device.

Random functions take one example; callers `vmap` them with one key each.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key, Shaped, UInt8


def scale_images(
  images: UInt8[Array | np.ndarray, '*shape'],
) -> Float32[Array, '*shape']:
  """Scales bytes to [0, 1].

  Args:
    images: uint8 of any shape.

  Returns:
    `images` / 255 as float32.
  """
  return jnp.asarray(images).astype(jnp.float32) / jnp.float32(255)


def random_shift(
  key: Key[Array, ''],
  image: Shaped[Array | np.ndarray, 'h w c'],
  *,
  max_shift: int,
) -> Shaped[Array, 'h w c']:
  """Shifts one image by a random whole number of pixels, padding with zeros.

  With 2 pixels, this is the paper's only augmentation of MNIST (section 5).

  Args:
    key: the example's PRNG key.
    image: shape [h, w, c], of any type.
    max_shift: static; the shift along each axis is uniform in [-max_shift,
      max_shift]. 0 returns the image unchanged.

  Returns:
    The image, of the same shape and type.

  References:
    Sabour, Frosst, Hinton: Dynamic Routing Between Capsules, 2017,
    https://arxiv.org/abs/1710.09829
  """
  if max_shift < 0:
    raise ValueError(f'max_shift must not be negative, but is {max_shift}')
  margin = (max_shift, max_shift)
  padded = jnp.pad(image, (margin, margin, (0, 0)))
  top, left = jax.random.randint(key, (2,), 0, 2 * max_shift + 1, jnp.int32)
  return jax.lax.dynamic_slice(padded, (top, left, jnp.int32(0)), image.shape)
