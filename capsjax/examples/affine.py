"""Rotation, scale, shear and translation of one image, by bilinear sampling.

Coordinates are in pixels from the image's centre, x to the right and y down.
Outside the image it is black.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Key


def random_affine(
  key: Key[Array, ''],
  image: Float32[Array | np.ndarray, 'h w c'],
  *,
  max_rotation: float = 0.0,
  scale_range: tuple[float, float] = (1.0, 1.0),
  max_shear: float = 0.0,
  max_translation: float = 0.0,
) -> Float32[Array, 'h w c']:
  """Applies a random affine transformation to one image, about its centre.

  The image is scaled, then sheared, then rotated, then translated. All
  parameters are drawn uniformly.

  Args:
    key: the example's PRNG key.
    image: float32 of shape [h, w, c].
    max_rotation: the largest angle in degrees, in either direction.
    scale_range: the smallest and the largest scale, drawn separately for width
      and height.
    max_shear: the largest shift of a row, in either direction, as a multiple of
      its distance from the centre.
    max_translation: the largest translation in pixels, along each axis.

  Returns:
    The image, of the same shape and type.
  """
  parts = jax.random.split(key, 4)
  angle = _symmetric(parts[0], jnp.deg2rad(max_rotation))
  scale = jax.random.uniform(
    parts[1], (2,), minval=scale_range[0], maxval=scale_range[1]
  )
  shear = _symmetric(parts[2], max_shear)
  translation = _symmetric(parts[3], max_translation, shape=(2,))
  return map_affine(image, affine_matrix(angle, scale, shear), translation)


def affine_matrix(
  angle: Float[Array, ''], scale: Float[Array, '2'], shear: Float[Array, '']
) -> Float[Array, '2 2']:
  """Returns the matrix that scales, then shears, then rotates points (x, y).

  Args:
    angle: in radians, from the x axis towards the y axis.
    scale: the scales of x and y.
    shear: x grows by this multiple of y.
  """
  cosine, sine = jnp.cos(angle), jnp.sin(angle)
  along_y = [shear * cosine - sine, shear * sine + cosine]
  columns = jnp.stack([jnp.stack([cosine, sine]), jnp.stack(along_y)], 1)
  return columns * scale[None, :]


def map_affine(
  image: Float32[Array | np.ndarray, 'h w c'],
  matrix: Float[Array, '2 2'],
  translation: Float[Array, '2'],
) -> Float32[Array, 'h w c']:
  """Moves each point p of an image to `matrix @ p + translation`.

  Args:
    image: float32 of shape [h, w, c].
    matrix: an invertible matrix.
    translation: in pixels, along x and y.

  Returns:
    The image, of the same shape. Each pixel interpolates the four pixels around
    the point that it comes from.
  """
  height, width, _ = image.shape
  centre = jnp.array([(width - 1) / 2, (height - 1) / 2], jnp.float32)
  y, x = jnp.mgrid[:height, :width].astype(jnp.float32)
  right, down = x - centre[0] - translation[0], y - centre[1] - translation[1]
  # The inverse is written out: a matrix product on an accelerator may round to
  # bfloat16, which is an error of a tenth of a pixel.
  (a, b), (c, d) = matrix
  determinant = a * d - b * c
  x = (d * right - b * down) / determinant + centre[0]
  y = (a * down - c * right) / determinant + centre[1]

  def sample(channel):
    return jax.scipy.ndimage.map_coordinates(channel, [y, x], order=1)

  return jax.vmap(sample, -1, -1)(jnp.asarray(image))


def _symmetric(key, most, *, shape=()):
  """Draws uniformly between -most and most."""
  return most * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
