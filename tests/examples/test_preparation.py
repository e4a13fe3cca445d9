import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.examples import Preparation, scale_images
from capsjax.examples.photometric import (
  central_crop,
  random_brightness,
  random_contrast,
  random_crop,
  random_erase,
  random_flip,
  standardize,
)

BYTES = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)
IMAGE = jnp.asarray(BYTES / np.float32(255))
KEYS = jax.random.split(jax.random.key(0), 300)


def test_without_anything_bytes_are_scaled():
  plain = Preparation()
  for prepared in (plain.for_training(KEYS[0], BYTES), plain.for_test(BYTES)):
    np.testing.assert_allclose(prepared, BYTES / 255, atol=1e-6)
  assert plain.image_shape((8, 10, 3)) == (8, 10, 3)


# Another value for each field.
CHANGES = {
  'max_rotation': 20.0,
  'scale_range': (0.5, 0.7),
  'max_shear': 0.5,
  'max_translation': 2.5,
  'max_shift': 3,
  'crop_size': 5,
  'flip': True,
  'max_brightness': 0.3,
  'contrast_range': (0.3, 0.6),
  'erase_size': 3,
  'standardize': True,
}


def test_the_table_has_every_field():
  assert set(CHANGES) == {f.name for f in dataclasses.fields(Preparation)}


@pytest.mark.parametrize('field', CHANGES)
def test_every_field_changes_training_and_few_the_test(field):
  changed = Preparation(**{field: CHANGES[field]})
  prepare = jax.vmap(changed.for_training, (0, None))
  pictures = prepare(KEYS[:20], jnp.asarray(BYTES))
  test = changed.for_test(BYTES)
  assert test.shape == pictures.shape[1:]
  assert test.shape == changed.image_shape((8, 10, 3))
  if field == 'standardize':
    for picture in np.float64([*pictures, test]):
      assert abs(picture.mean()) < 1e-5
      assert abs(picture.std() - 1) < 1e-4
    return
  assert len(np.unique(pictures, axis=0)) > 1
  assert pictures.min() >= 0 and pictures.max() <= 1
  if field != 'crop_size':
    np.testing.assert_allclose(test, BYTES / 255, atol=1e-6)


def test_all_at_once_compiled_and_one_by_one_agree():
  everything = Preparation(**CHANGES)
  images = jnp.asarray(np.stack([BYTES] * 5))
  together = jax.jit(jax.vmap(everything.for_training))(KEYS[:5], images)
  alone = [everything.for_training(key, BYTES) for key in KEYS[:5]]
  np.testing.assert_allclose(together, np.stack(alone), atol=1e-4)


def test_a_square_larger_than_the_images_is_refused():
  with pytest.raises(UserError, match='crop_size=9.*8x10'):
    Preparation(crop_size=9).image_shape((8, 10, 1))
  Preparation(erase_size=8).image_shape((8, 10, 1))
  for fields in ({'erase_size': 9}, {'erase_size': 6, 'crop_size': 5}):
    with pytest.raises(UserError, match='erase_size'):
      Preparation(**fields).image_shape((8, 10, 1))


def test_a_square_is_erased_at_every_place_and_nothing_else():
  bright = IMAGE + 1
  erased = jax.vmap(lambda key: random_erase(key, bright, size=6))(KEYS)
  seen = set()
  for image in np.asarray(erased):
    rows, columns, channels = np.nonzero(image == 0)
    assert len(rows) == 6 * 6 * 3
    top, left = rows.min(), columns.min()
    assert (rows.max(), columns.max()) == (top + 5, left + 5)
    seen.add((int(top), int(left)))
    kept = image != 0
    np.testing.assert_array_equal(image[kept], np.asarray(bright)[kept])
  assert seen == {(top, left) for top in range(3) for left in range(5)}


def test_every_place_is_cut_out_and_nothing_else():
  crops = jax.vmap(lambda key: random_crop(key, IMAGE, size=6))(KEYS)
  places = {
    (top, left): np.asarray(IMAGE)[top : top + 6, left : left + 6]
    for top in range(3)
    for left in range(5)
  }
  seen = set()
  for crop in np.asarray(crops):
    (place,) = [p for p, part in places.items() if (part == crop).all()]
    seen.add(place)
  assert seen == set(places)


def test_the_centre_is_cut_out():
  expected = np.asarray(IMAGE)[1:7, 2:8]
  np.testing.assert_array_equal(central_crop(IMAGE, size=6), expected)


def test_half_are_flipped_and_only_sideways():
  flipped = np.asarray(jax.vmap(lambda key: random_flip(key, IMAGE))(KEYS))
  is_same = (flipped == np.asarray(IMAGE)).all((1, 2, 3))
  assert 0.4 < is_same.mean() < 0.6
  assert (flipped[~is_same] == np.asarray(IMAGE)[:, ::-1]).all()


def test_brightness_adds_one_number():
  pictures = jax.vmap(lambda key: random_brightness(key, IMAGE, most=0.25))(
    KEYS
  )
  added = np.asarray(pictures) - np.asarray(IMAGE)
  np.testing.assert_allclose(np.ptp(added, (1, 2, 3)), 0, atol=1e-6)
  assert 0.23 < added.max() <= 0.2501 and -0.2501 <= added.min() < -0.23


def test_contrast_scales_distances_from_the_mean_of_a_channel():
  pictures = np.asarray(
    jax.vmap(lambda key: random_contrast(key, IMAGE, factors=(0.2, 1.8)))(KEYS)
  )
  image = np.asarray(IMAGE)
  np.testing.assert_allclose(
    pictures.mean((1, 2)), np.stack([image.mean((0, 1))] * len(KEYS)), atol=1e-5
  )
  factors = pictures.std((1, 2)) / image.std((0, 1))
  np.testing.assert_allclose(np.ptp(factors, 1), 0, atol=1e-4)
  assert 0.19 < factors.min() < 0.25 and 1.75 < factors.max() < 1.81


def test_standardised_images_have_mean_0_and_deviation_1():
  found = np.asarray(standardize(IMAGE), np.float64)
  assert abs(found.mean()) < 1e-5
  assert abs(found.std() - 1) < 1e-4


def of_tensorflow(image):
  """TensorFlow's `per_image_standardization`, for values from 0 to 255."""
  least = 1 / np.sqrt(image.size)
  return (image - image.mean()) / max(image.std(), least)


@pytest.mark.parametrize('level', [0, 77, 254])
@pytest.mark.parametrize('others', [0, 1, 5, 864])
def test_faint_images_are_standardised_as_by_tensorflow(level, others):
  image = np.full((24, 24, 3), float(level))
  image.reshape(-1)[:others] += 1
  found = standardize(scale_images(image.astype(np.uint8)))
  np.testing.assert_allclose(found, of_tensorflow(image), rtol=2e-3, atol=2e-3)
  expected = 1 if others else 0
  assert np.std(found) == pytest.approx(expected, abs=2e-3)
