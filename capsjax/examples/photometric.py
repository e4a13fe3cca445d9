"""Random crops, flips, brightness, contrast, erasing, and standardisation.

All but erasing are the augmentation of CIFAR10 in section 7 of the paper and in
its code. Functions take one example; callers `vmap` them with one key each.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

# One example.
_Image = Float32[Array | np.ndarray, 'h w c']


def random_crop(
  key: Key[Array, ''], image: _Image, *, size: int
) -> Float32[Array, 'size size c']:
  """Cuts a square out of one image at a uniformly random place.

  Args:
    key: the example's PRNG key.
    image: float32 of shape [h, w, c], at least `size` high and wide.
    size: the side of the square; static.
  """
  height, width, channels = image.shape
  room = jnp.array([height - size + 1, width - size + 1], jnp.int32)
  top, left = jax.random.randint(key, (2,), 0, room, jnp.int32)
  return jax.lax.dynamic_slice(
    image, (top, left, jnp.int32(0)), (size, size, channels)
  )


def central_crop(image: _Image, *, size: int) -> Float32[Array, 'size size c']:
  """Cuts the central square out of one image.

  Args:
    image: float32 of shape [h, w, c], at least `size` high and wide.
    size: the side of the square; static.
  """
  top, left = ((side - size) // 2 for side in image.shape[:2])
  return jnp.asarray(image)[top : top + size, left : left + size]


def random_flip(key: Key[Array, ''], image: _Image) -> Float32[Array, 'h w c']:
  """Flips one image horizontally with probability 1/2."""
  return jnp.where(jax.random.bernoulli(key), image[:, ::-1], image)


def random_brightness(
  key: Key[Array, ''],
  image: _Image,
  *,
  most: float,
) -> Float32[Array, 'h w c']:
  """Adds one number, uniform in [-most, most], to all pixels."""
  return jnp.asarray(image) + jax.random.uniform(key, minval=-most, maxval=most)


def random_contrast(
  key: Key[Array, ''],
  image: _Image,
  *,
  factors: tuple[float, float],
) -> Float32[Array, 'h w c']:
  """Scales the differences from each channel's mean by one random factor.

  Args:
    key: the example's PRNG key.
    image: float32 of shape [h, w, c].
    factors: the smallest and the largest factor.
  """
  factor = jax.random.uniform(key, minval=factors[0], maxval=factors[1])
  mean = jnp.mean(image, (0, 1), keepdims=True)
  return mean + factor * (image - mean)


def random_erase(
  key: Key[Array, ''], image: _Image, *, size: int
) -> Float32[Array, 'h w c']:
  """Makes a square of one image black, at a uniformly random place.

  Args:
    key: the example's PRNG key.
    image: float32 of shape [h, w, c], at least `size` high and wide.
    size: the side of the square.
  """
  height, width, _ = image.shape
  room = jnp.array([height - size + 1, width - size + 1], jnp.int32)
  top, left = jax.random.randint(key, (2,), 0, room, jnp.int32)
  down, right = jnp.arange(height) - top, jnp.arange(width) - left
  is_row, is_column = ((x >= 0) & (x < size) for x in (down, right))
  is_erased = is_row[:, None, None] & is_column[None, :, None]
  return jnp.where(is_erased, 0, jnp.asarray(image))


def standardize(
  image: _Image,
) -> Float32[Array, 'h w c']:
  """Scales one image to mean 0 and standard deviation 1 over all its values.

  An image of one colour becomes 0. The standard deviation has a lower bound:
  its value for an image in which a single value is one grey level off. The
  official code has the same bound, for values from 0 to 255.

  Args:
    image: float32 of shape [h, w, c], scaled so that 255 becomes 1.
  """
  # The bound is so small that a mean's rounding error would show without this.
  image = jnp.asarray(image) - image[0, 0, 0]
  least = 1 / (255 * jnp.sqrt(jnp.float32(image.size)))
  return (image - jnp.mean(image)) / jnp.maximum(jnp.std(image), least)
