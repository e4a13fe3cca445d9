import numpy as np
from PIL import Image
from sklearn import datasets

from capsjax.data import load_digits

LABELS = datasets.load_digits().target
SMALL = datasets.load_digits().images


def everything():
  dataset = load_digits()
  images = np.concatenate([dataset.train.images, dataset.test.images])
  return images[..., 0]


def test_is_what_the_contract_says():
  dataset = load_digits()
  assert dataset.name == 'digits'
  assert dataset.num_classes == 10
  assert dataset.validation is None
  assert (len(dataset.train), len(dataset.test)) == (1437, 360)
  assert dataset.image_shape == (28, 28, 1)
  for split in (dataset.train, dataset.test):
    assert split.images.dtype == np.uint8
    assert split.labels.dtype == np.int32


def test_is_the_same_every_time():
  first, second = load_digits(), load_digits()
  np.testing.assert_array_equal(first.train.images, second.train.images)
  np.testing.assert_array_equal(first.test.labels, second.test.labels)


def test_the_split_is_stratified():
  counts = np.bincount(load_digits().test.labels)
  assert np.abs(counts - np.bincount(LABELS) * 360 / 1797).max() < 1


def test_labels_stay_with_their_images():
  dataset = load_digits()
  small = {image.tobytes(): index for index, image in enumerate(enlarged())}
  train = [small[image.tobytes()] for image in dataset.train.images[..., 0]]
  test = [small[image.tobytes()] for image in dataset.test.images[..., 0]]
  assert sorted(train + test) == list(range(1797))
  np.testing.assert_array_equal(dataset.train.labels, LABELS[train])
  np.testing.assert_array_equal(dataset.test.labels, LABELS[test])
  # Drawn at random: both splits extend over the whole file.
  assert min(test) < 50 and max(test) > 1750
  assert min(train) < 50 and max(train) > 1750


def test_no_image_is_in_both_parts():
  dataset = load_digits()
  train = {image.tobytes() for image in dataset.train.images}
  assert not train & {image.tobytes() for image in dataset.test.images}


def enlarged():
  """Enlarges with Pillow: bicubic, from 8 to 20 pixels, on black."""
  pictures = []
  for image in SMALL:
    picture = Image.fromarray(np.pad(image, 4).astype(np.float32))
    picture = picture.resize((40, 40), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)[6:34, 6:34] * 255 / 16
    pictures.append(np.clip(np.round(pixels), 0, 255).astype(np.uint8))
  return np.stack(pictures)


def test_is_enlarged_as_by_a_picture_library():
  small = {image.tobytes() for image in enlarged()}
  assert all(image.tobytes() in small for image in everything())


def test_looks_like_mnist():
  images = everything().astype(np.float64)
  rows, columns = images.sum((0, 2)), images.sum((0, 1))
  for profile in (rows, columns):
    center = (profile * np.arange(28)).sum() / profile.sum()
    assert abs(center - 13.5) < 0.5
    # The digit fills the middle 20 pixels; only its soft edge lies outside.
    assert profile[4:24].sum() / profile.sum() > 0.97
  assert rows[[4, 23]].min() > 0
  inside = np.zeros((28, 28), bool)
  inside[3:25, 3:25] = True
  assert images[:, ~inside].max() <= 2
  assert images.max((1, 2)).min() > 200
  # Interpolated: pixel blocks would jump by the full 255.
  assert np.abs(np.diff(images, axis=1)).max() < 160
  assert np.abs(np.diff(images, axis=2)).max() < 160
