"""Tests 40x40 data sets made from small files in MNIST's format."""

import numpy as np
import pytest
import scipy.io
from scipy import ndimage

from capsjax.data.placed_mnist import (
  load_affine_mnist,
  load_affnist,
  load_expanded_mnist,
)

COUNT = 300
# Rows and columns of the corners of three blobs, at the edges of the 20x20
# square that MNIST's digits fill. The blobs are told apart by their masses.
CORNERS = ((4, 4), (4, 20), (20, 4))
HEIGHTS = (100, 160, 255)


@pytest.fixture
def noise(tmp_path, write_idx_set):
  """Writes digits of random pixels; returns the files' arrays."""
  return write_idx_set(tmp_path, train=3, test=80, size=(28, 28))


@pytest.fixture
def blobs(tmp_path, write_idx):
  """Writes a test split of one shape that reveals how it is mapped."""
  digit = np.zeros((28, 28), np.uint8)
  for (row, column), height in zip(CORNERS, HEIGHTS, strict=True):
    digit[row : row + 4, column : column + 4] = height
  for part, count in (('train', 2), ('t10k', COUNT)):
    images = np.broadcast_to(digit, (count, 28, 28))
    write_idx(tmp_path / f'{part}-images-idx3-ubyte.gz', images)
    labels = np.arange(count) % 10
    write_idx(tmp_path / f'{part}-labels-idx1-ubyte.gz', labels)
  return digit


@pytest.mark.parametrize('load', [load_expanded_mnist, load_affine_mnist])
def test_training_digits_are_in_the_middle_and_labels_stay(
  tmp_path, noise, load
):
  dataset = load(data_dir=tmp_path)
  assert dataset.name == load.__name__.removeprefix('load_')
  assert dataset.num_classes == 10 and dataset.image_shape == (40, 40, 1)
  expected = np.zeros((3, 40, 40), np.uint8)
  expected[:, 6:34, 6:34] = noise['train-images-idx3-ubyte']
  np.testing.assert_array_equal(dataset.train.images[..., 0], expected)
  for split, part in ((dataset.train, 'train'), (dataset.test, 't10k')):
    assert split.images.dtype == np.uint8
    expected = noise[f'{part}-labels-idx1-ubyte']
    np.testing.assert_array_equal(split.labels, expected)


def test_expanded_digits_are_whole_at_any_place(tmp_path, noise):
  images = load_expanded_mnist(data_dir=tmp_path).test.images[..., 0]
  places = []
  for image, digit in zip(images, noise['t10k-images-idx3-ubyte'], strict=True):
    windows = np.lib.stride_tricks.sliding_window_view(image, (28, 28))
    (place,) = np.argwhere((windows == digit).all((-2, -1)))
    places.append(place)
    # Nothing else is on the canvas.
    assert image.sum(dtype=int) == digit.sum(dtype=int)
  # Offsets reach exactly 6 pixels to each side of the middle.
  for axis in np.array(places).T:
    assert axis.min() == 0 and axis.max() == 12
  assert len(set(map(tuple, places))) > 40


def blobs_of(image):
  """Returns mass and centre (x, y) of each blob, in the order of CORNERS."""
  marks, count = ndimage.label(image)
  assert count == 3
  masses = ndimage.sum_labels(image.astype(float), marks, [1, 2, 3])
  centres = ndimage.center_of_mass(image.astype(float), marks, [1, 2, 3])
  order = np.argsort(masses)
  return masses[order], np.array(centres)[order, ::-1]


def test_affine_maps_are_in_their_ranges_and_lose_nothing(tmp_path, blobs):
  images = load_affine_mnist(data_dir=tmp_path).test.images[..., 0]
  mass_before, centre_before = blobs_of(blobs)
  edges_before = (centre_before[1:] - centre_before[0]).T
  found = []
  for image in images:
    masses, centres = blobs_of(image)
    matrix = (centres[1:] - centres[0]).T @ np.linalg.inv(edges_before)
    # Each blob grows as much as the map implies, so none is cut off.
    growth = np.linalg.det(matrix)
    np.testing.assert_allclose(masses, growth * mass_before, rtol=0.12)
    # A rotation times shear and scales: [[x, shear * y], [0, y]].
    rotation, upper = np.linalg.qr(matrix)
    sign = np.sign(np.diag(upper))
    rotation, upper = rotation * sign, upper * sign[:, None]
    angle = np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0]))
    scales = np.diag(upper)
    found.append([angle, *scales, upper[0, 1] / scales[1]])
  angles, widths, heights, shears = np.array(found).T
  for values, middle, most in (
    (angles, 0, 20),
    (widths, 1, 0.2),
    (heights, 1, 0.2),
    (shears, 0, 0.2),
  ):
    # The tolerance allows for the subpixel error of the blobs' centres.
    low, high = (values.min() - middle) / most, (values.max() - middle) / most
    assert -1.1 < low < -0.85 and 0.85 < high < 1.1
    assert abs(values.mean() - middle) < 0.15 * most
  # The four are drawn independently.
  correlations = np.corrcoef(np.array(found).T) - np.eye(4)
  assert np.abs(correlations).max() < 0.25


def test_affine_digits_are_anywhere_on_the_canvas(tmp_path, blobs):
  images = load_affine_mnist(data_dir=tmp_path).test.images[..., 0]
  for axis in (1, 2):
    ink = images.any(axis)
    first, last = ink.argmax(-1), 39 - ink[:, ::-1].argmax(-1)
    room = first + 39 - last
    # A digit wrapped over the edge would leave less room than this.
    assert room.min() >= 3
    share = first / room
    assert share.min() < 0.05 and share.max() > 0.95
    assert 0.45 < share.mean() < 0.55


def test_the_seed_chooses_the_test(tmp_path, blobs):
  images = {
    (load.__name__, seed, turn): load(data_dir=tmp_path, seed=seed).test.images
    for load in (load_expanded_mnist, load_affine_mnist)
    for seed, turn in ((0, 0), (0, 1), (1, 0))
  }
  for load in ('load_expanded_mnist', 'load_affine_mnist'):
    first, again, other = (
      images[load, *which] for which in ((0, 0), (0, 1), (1, 0))
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any((1, 2, 3)).mean() > 0.95
  shifted, mapped = (
    images[name, 0, 0] for name in ('load_expanded_mnist', 'load_affine_mnist')
  )
  assert (shifted != mapped).any((1, 2, 3)).all()


def test_affnist_has_a_test_of_its_own(tmp_path, noise, user_error):
  with user_error(tmp_path, 'affNIST is not in'):
    load_affnist(data_dir=tmp_path)
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (2, 40, 40), np.uint8)
  fields = {
    'image': images.reshape(2, 1600).T,
    'label_int': np.array([[8, 3]], np.uint8),
  }
  scipy.io.savemat(tmp_path / 'test.mat', {'affNISTdata': fields})
  dataset = load_affnist(data_dir=tmp_path)
  assert dataset.name == 'affnist'
  np.testing.assert_array_equal(dataset.test.images[..., 0], images)
  assert dataset.test.labels.tolist() == [8, 3]
  expanded = load_expanded_mnist(data_dir=tmp_path)
  np.testing.assert_array_equal(dataset.train.images, expanded.train.images)
