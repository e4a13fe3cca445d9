import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from capsjax.examples import (
  affine_matrix,
  map_affine,
  random_affine,
)

IDENTITY = jnp.eye(2)
NOTHING = jnp.zeros(2)


def picture(height=9, width=7, channels=2, seed=0):
  rng = np.random.default_rng(seed)
  return rng.random((height, width, channels)).astype(np.float32)


def matrix(angle=0.0, scale=(1.0, 1.0), shear=0.0):
  return affine_matrix(
    jnp.deg2rad(jnp.float32(angle)), jnp.array(scale), jnp.float32(shear)
  )


def by_scipy(image, matrix, translation):
  """Transforms an image by SciPy, which maps (row, column) of the result back.

  Its mode is black outside the image, and interpolates towards black.
  """
  swap = np.array([[0, 1], [1, 0]])
  inverse = np.linalg.inv(swap @ np.asarray(matrix, np.float64) @ swap)
  centre = (np.array(image.shape[:2]) - 1) / 2
  offset = centre - inverse @ (centre + np.asarray(translation)[::-1])
  channels = [
    ndimage.affine_transform(
      image[..., c], inverse, offset, order=1, mode='grid-constant'
    )
    for c in range(image.shape[-1])
  ]
  return np.stack(channels, -1)


@pytest.mark.parametrize(
  'case',
  [
    ({'angle': 20.0}, (0.0, 0.0)),
    ({'scale': (0.8, 1.3)}, (0.0, 0.0)),
    ({'shear': 0.3}, (0.0, 0.0)),
    ({}, (1.25, -0.5)),
    ({'angle': -35.0, 'scale': (1.2, 0.7), 'shear': -0.2}, (0.6, 1.7)),
  ],
)
def test_it_is_what_scipy_makes(case):
  fields, translation = case
  image = picture()
  found = map_affine(image, matrix(**fields), jnp.array(translation))
  expected = by_scipy(image, matrix(**fields), translation)
  np.testing.assert_allclose(found, expected, atol=2e-5)


def test_nothing_is_changed_by_nothing():
  image = picture()
  np.testing.assert_allclose(
    map_affine(image, matrix(), NOTHING), image, atol=1e-6
  )


def test_directions_as_the_eye_sees_them():
  """x to the right, y down: a quarter turn takes right to bottom."""
  image = np.zeros((5, 5, 1), np.float32)
  image[2, 4] = 1
  turned = map_affine(image, matrix(angle=90.0), NOTHING)
  assert np.unravel_index(np.argmax(turned), turned.shape) == (4, 2, 0)
  moved = map_affine(image, IDENTITY, jnp.array([-2.0, 1.0]))
  assert np.unravel_index(np.argmax(moved), moved.shape) == (3, 2, 0)
  image = np.zeros((5, 5, 1), np.float32)
  image[4, 2] = 1
  sheared = map_affine(image, matrix(shear=0.5), NOTHING)
  assert np.unravel_index(np.argmax(sheared), sheared.shape) == (4, 3, 0)
  image = np.zeros((5, 5, 1), np.float32)
  image[2, 3] = 1
  widened = map_affine(image, matrix(scale=(2.0, 1.0)), NOTHING)
  assert np.unravel_index(np.argmax(widened), widened.shape) == (2, 4, 0)


def test_outside_is_black():
  image = np.ones((6, 6, 1), np.float32)
  moved = map_affine(image, IDENTITY, jnp.array([3.0, 0.0]))
  assert not moved[:, :3].any()
  np.testing.assert_allclose(moved[:, 3:], 1, atol=1e-6)


def test_random_maps_stay_within_their_ranges():
  """The hill's centre and spread show translation, scale, shear and angle."""
  keys = jax.random.split(jax.random.key(0), 400)
  # A smooth hill, whose centre and spread can be measured.
  y, x = np.mgrid[:41, :41] - 20.0
  hill = np.exp(-(x**2 / 18 + y**2 / 50)).astype(np.float32)[..., None]

  def measures(**knobs):
    images = jax.jit(
      jax.vmap(lambda key: random_affine(key, jnp.asarray(hill), **knobs))
    )(keys)
    mass = np.asarray(images, np.float64)[..., 0]
    mass /= mass.sum((1, 2))[:, None, None]
    centre = np.stack([(mass * x).sum((1, 2)), (mass * y).sum((1, 2))], -1)
    spread = np.array([(mass * p).sum((1, 2)) for p in (x * x, y * y, x * y)]).T
    return centre, spread

  centre, _ = measures(max_translation=3.0)
  assert np.abs(centre).max() <= 3.01
  assert (centre.min(0) < -2.7).all() and (centre.max(0) > 2.7).all()
  _, spread = measures(scale_range=(0.8, 1.2))
  widths, heights = np.sqrt(spread[:, :2] / [9, 25]).T
  for scales in (widths, heights):
    assert 0.79 < scales.min() < 0.83 and 1.17 < scales.max() < 1.21
  assert abs(np.corrcoef(widths, heights)[0, 1]) < 0.2
  _, spread = measures(max_rotation=20.0)
  angles = np.degrees(
    np.arctan2(-2 * spread[:, 2], spread[:, 1] - spread[:, 0]) / 2
  )
  assert 18 < angles.max() < 20.5 and -20.5 < angles.min() < -18
  _, spread = measures(max_shear=0.2)
  shears = spread[:, 2] / spread[:, 1]
  assert 0.18 < shears.max() < 0.205 and -0.205 < shears.min() < -0.18


def test_a_key_gives_the_same_map_again():
  image = jnp.asarray(picture())
  first, second, other = (
    random_affine(jax.random.key(seed), image, max_rotation=30.0)
    for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, second)
  assert (first != other).any()
