"""Rotation, scale, shear and translation of one image, by bilinear sampling.

Coordinates are in pixels from the centre of the image, x to the right and y
down; outside the image it is black.
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
  """Maps one image by a random affine transformation about its centre.

  It is scaled, then sheared, then rotated, then moved; every number is drawn
  uniformly.

  Args:
    key: the example's own key.
    image: float32 of shape [h, w, c].
    max_rotation: the largest angle in degrees, to both sides.
    scale_range: the smallest and the largest scale, drawn for width and height
      separately.
    max_shear: rows are moved by up to so many times their distance from the
      centre, to both sides.
    max_translation: in pixels, in each of the two directions.

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
  """The matrix that scales, then shears, then rotates points (x, y).

  Args:
    angle: in radians, from the x axis towards the y axis.
    scale: of x and of y.
    shear: x grows by so many times y.
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
  """Moves what is at point p of an image to `matrix @ p + translation`.

  Args:
    image: float32 of shape [h, w, c].
    matrix: must have an inverse.
    translation: in pixels, of x and of y.

  Returns:
    The image, of the same shape: each pixel interpolates the four pixels about
    the point that it comes from.
  """
  height, width, _ = image.shape
  centre = jnp.array([(width - 1) / 2, (height - 1) / 2], jnp.float32)
  y, x = jnp.mgrid[:height, :width].astype(jnp.float32)
  right, down = x - centre[0] - translation[0], y - centre[1] - translation[1]
  # The inverse written out: a matrix product of an accelerator may round to
  # bfloat16, which is a tenth of a pixel.
  (a, b), (c, d) = matrix
  determinant = a * d - b * c
  x = (d * right - b * down) / determinant + centre[0]
  y = (a * down - c * right) / determinant + centre[1]

  def sample(channel):
    return jax.scipy.ndimage.map_coordinates(channel, [y, x], order=1)

  return jax.vmap(sample, -1, -1)(jnp.asarray(image))


def _symmetric(key, most, *, shape=()):
  """Uniform between -most and most."""
  return most * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
