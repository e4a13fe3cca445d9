"""Which pictures are told to be unlike the training images."""

import json

import numpy as np
import pytest

from capsjax.data import Dataset, Look, Split, fingerprints, load_dataset


def make_look(images, **fields):
  split = Split(images, np.zeros(len(images), np.int32))
  return Look.of(Dataset('toy', split, split, None, 1, **fields))


def test_the_mean_is_one_of_blocks():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (5, 24, 16, 3), np.uint8)
  look = make_look(images)
  expected = images.reshape(5, 8, 3, 8, 2, 3).mean((0, 2, 4)) / 255
  np.testing.assert_allclose(look.mean, expected, rtol=1e-5)
  blocks = images.reshape(5, 8, 3, 8, 2, 3).mean((2, 4)) / 255
  distances = [np.sqrt(np.mean((b - expected) ** 2)) for b in blocks]
  assert look.farthest == pytest.approx(max(distances))


def test_blocks_of_any_size():
  """Each value is the mean of some pixels, and none is left out."""
  images = np.zeros((2, 5, 11, 1), np.uint8)
  images[:, 4, 10] = 255
  look = make_look(images)
  assert look.mean.shape == (5, 8, 1)
  assert np.argwhere(look.mean).tolist() == [[4, 7, 0]]
  # Of 11 columns in 8 blocks, three blocks have two.
  assert look.mean[4, 7] == 1
  images[:, 4] = 255
  np.testing.assert_allclose(make_look(images).mean[4], 1)


def test_who_is_farther_than_all_is_far():
  rng = np.random.default_rng(1)
  images = rng.integers(0, 100, (50, 8, 8, 1), np.uint8)
  look = make_look(images)
  assert not look.is_far(images).any()
  assert look.is_far(255 - images).all()
  # Identical training images: only what is like them is near.
  look = make_look(np.full((3, 8, 8, 1), 40, np.uint8))
  others = np.full((2, 8, 8, 1), 40, np.uint8)
  others[1] += 1
  assert look.is_far(others).tolist() == [False, True]


def test_it_is_the_same_from_json():
  rng = np.random.default_rng(2)
  look = make_look(rng.integers(0, 256, (20, 9, 30, 3), np.uint8))
  again = Look.from_json(json.loads(json.dumps(look.to_json())))
  assert again.background == look.background
  np.testing.assert_allclose(again.mean, look.mean, atol=1e-4)
  assert again.farthest == pytest.approx(look.farthest, abs=1e-4)


@pytest.mark.parametrize(
  'damage',
  [{'mean': 3}, {'mean': [[['x']]]}, {'farthest': None}, {'background': 1}],
)
def test_damage_is_noticed(damage):
  look = make_look(np.zeros((2, 8, 8, 1), np.uint8)).to_json()
  with pytest.raises((TypeError, ValueError)):
    Look.from_json(look | damage)
  del look['mean']
  with pytest.raises(KeyError):
    Look.from_json(look)


def test_the_background_is_the_usual_colour_of_the_border():
  images = np.zeros((3, 9, 9, 3), np.uint8)
  images[:] = 200, 100, 50
  images[:, 2:7, 2:7] = 1
  images[0, 0] = 255  # An object that touches the border.
  assert make_look(images).background == (200, 100, 50)
  known = make_look(images, background=(7, 8, 9))
  assert known.background == (7, 8, 9)


def test_equal_images_alone_have_equal_fingerprints():
  rng = np.random.default_rng(3)
  images = rng.integers(0, 256, (400, 3, 5, 2), np.uint8)
  found = fingerprints(images)
  assert len(set(found)) == 400
  np.testing.assert_array_equal(fingerprints(images[::-1].copy()), found[::-1])
  changed = images.copy()
  changed[:, 2, 4, 1] ^= 1
  assert not np.isin(fingerprints(changed), found).any()


def test_inverted_digits_are_far_and_others_are_not():
  dataset = load_dataset('digits')
  look = Look.of(dataset)
  assert not look.is_far(dataset.test.images).any()
  assert look.is_far(255 - dataset.test.images).all()
  assert look.background == (0,)


@pytest.mark.parametrize(
  ('name', 'least'), [('mnist', 1), ('fashion_mnist', 0.85)]
)
def test_real_images_are_not_far_unless_inverted(shared_data, name, least):
  dataset = load_dataset(name, data_dir=shared_data)
  look = Look.of(dataset)
  assert not look.is_far(dataset.test.images).any()
  assert look.is_far(255 - dataset.test.images).mean() >= least


def test_photographs_are_not_far_even_if_inverted(shared_data):
  """They may be dark on light as well as light on dark."""
  folder = shared_data / 'cifar10_jpeg'
  if not folder.is_dir():
    pytest.skip(f'no CIFAR-10 in {shared_data}')
  dataset = load_dataset('folder', data_dir=folder)
  look = Look.of(dataset)
  assert not look.is_far(dataset.test.images).any()
  assert look.is_far(255 - dataset.test.images).mean() < 0.001
