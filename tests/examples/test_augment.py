import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.examples import random_shift, scale_images

SHAPE = (7, 9, 2)
# All values differ and none is 0, so that the shift can be recovered.
IMAGE = np.arange(1, 1 + 7 * 9 * 2, dtype=np.uint8).reshape(SHAPE)


def shifted(image, down, right):
  """Shifts pixel by pixel, sharing nothing with the code under test."""
  height, width, channels = image.shape
  result = np.zeros_like(image)
  for y in range(height):
    for x in range(width):
      for c in range(channels):
        if 0 <= y - down < height and 0 <= x - right < width:
          result[y, x, c] = image[y - down, x - right, c]
  return result


def shift_of(picture, max_shift):
  found = [
    (down, right)
    for down in range(-max_shift, max_shift + 1)
    for right in range(-max_shift, max_shift + 1)
    if (shifted(IMAGE, down, right) == picture).all()
  ]
  assert len(found) == 1, 'not the image, shifted and filled with zeros'
  return found[0]


@pytest.mark.parametrize('max_shift', [1, 2, 4])
def test_every_shift_occurs_about_as_often(max_shift):
  count = (2 * max_shift + 1) ** 2
  keys = jax.random.split(jax.random.key(0), 40 * count)
  shift = functools.partial(random_shift, max_shift=max_shift)
  pictures = jax.jit(jax.vmap(shift, (0, None)))(keys, jnp.asarray(IMAGE))
  pictures, numbers = np.unique(pictures, axis=0, return_counts=True)
  shifts = {shift_of(picture, max_shift) for picture in pictures}
  assert len(shifts) == len(pictures) == count
  # Chi-squared: mean count - 1, standard deviation sqrt(2 (count - 1)).
  chi_squared = ((numbers - 40) ** 2 / 40).sum()
  assert chi_squared < count - 1 + 5 * np.sqrt(2 * (count - 1))


@pytest.mark.parametrize('dtype', [np.uint8, np.float32, jnp.bfloat16])
def test_type_and_shape_are_kept(dtype):
  image = IMAGE.astype(dtype)
  result = random_shift(jax.random.key(3), image, max_shift=2)
  assert result.dtype == dtype
  assert result.shape == SHAPE
  shift_of(np.asarray(result).astype(np.uint8), 2)


def test_one_example_a_batch_and_a_compiled_batch_agree():
  keys = jax.random.split(jax.random.key(1), 30)
  images = jax.random.randint(jax.random.key(2), (30, *SHAPE), 0, 256)
  images = images.astype(jnp.uint8)
  shift = functools.partial(random_shift, max_shift=2)
  one_by_one = np.stack(
    [shift(k, i) for k, i in zip(keys, images, strict=True)]
  )
  np.testing.assert_array_equal(one_by_one, jax.vmap(shift)(keys, images))
  np.testing.assert_array_equal(
    one_by_one, jax.jit(jax.vmap(shift))(keys, images)
  )


def test_a_key_gives_the_same_shift_again():
  first, second, other = (
    random_shift(jax.random.key(seed), IMAGE, max_shift=4) for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, second)
  assert (first != other).any()


def test_no_shift_is_the_identity():
  for seed in range(3):
    result = random_shift(jax.random.key(seed), IMAGE, max_shift=0)
    np.testing.assert_array_equal(result, IMAGE)


def test_more_than_the_image_leaves_black():
  image = np.ones((2, 2, 1), np.float32)
  keys = jax.random.split(jax.random.key(0), 20)
  sums = {int(random_shift(key, image, max_shift=3).sum()) for key in keys}
  assert 0 in sums
  assert sums <= {0, 1, 2, 4}


def test_a_negative_shift_is_refused():
  with pytest.raises(ValueError, match='max_shift'):
    random_shift(jax.random.key(0), IMAGE, max_shift=-1)


def test_bytes_are_scaled():
  values = np.arange(256, dtype=np.uint8).reshape(4, 64)
  scaled = scale_images(values)
  assert scaled.dtype == jnp.float32
  assert scaled.shape == (4, 64)
  assert (scaled.min(), scaled.max()) == (0, 1)
  np.testing.assert_allclose(
    scaled, values.astype(np.float64) / 255, rtol=1e-6, atol=0
  )
  compiled = jax.jit(scale_images)(jnp.asarray(values))
  np.testing.assert_allclose(compiled, scaled, rtol=1e-6, atol=0)
