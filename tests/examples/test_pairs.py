"""MultiMNIST, checked against NumPy on distinguishable digits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.examples import (
  DeviceData,
  PairExamples,
  Preparation,
  SingleExamples,
)

CLASSES = 4
SIZE = 30
KEYS = jax.random.split(jax.random.key(0), 400)


def split():
  """Makes classes of different sizes; its pixels identify each image."""
  rng = np.random.default_rng(0)
  labels = rng.permutation(np.repeat(np.arange(4), (3, 12, 5, 10)))
  images = rng.integers(1, 120, (SIZE, 4, 3, 1), np.uint8)
  return DeviceData(images, labels.astype(np.int32))


def pairs(**knobs):
  return PairExamples(SingleExamples(CLASSES, Preparation()), **knobs)


@pytest.fixture(scope='module')
def data():
  return jax.tree.map(jnp.asarray, pairs().arrange(split()))


@pytest.fixture(scope='module')
def batch(data):
  indices = jnp.asarray(np.arange(len(KEYS), dtype=np.int32) % SIZE)
  make = jax.jit(pairs(padding=2, max_shift=2).training_batch)
  return jax.tree.map(np.asarray, make(data, indices, KEYS))


def find(canvas, images):
  """Finds the image on a canvas and its place; no other may fit."""
  found = [
    (number, top, left)
    for number, image in enumerate(images)
    for top in range(canvas.shape[0] - image.shape[0] + 1)
    for left in range(canvas.shape[1] - image.shape[1] + 1)
    if (
      np.abs(
        canvas[top : top + image.shape[0], left : left + image.shape[1]]
        - image / np.float32(255)
      ).max()
      < 1e-6
    )
  ]
  assert len(found) == 1
  return found[0]


def test_arranged_by_class_without_loss(data):
  original = split()
  assert (np.diff(data.labels) >= 0).all()
  before = {
    (i.tobytes(), int(k))
    for i, k in zip(original.images, original.labels, strict=True)
  }
  after = {
    (np.asarray(i).tobytes(), int(k))
    for i, k in zip(data.images, data.labels, strict=True)
  }
  assert before == after


def test_images_are_two_shifted_ones_added_and_clipped(batch, data):
  assert batch.images.shape == (len(KEYS), 8, 7, 1)
  images, labels = np.asarray(data.images), np.asarray(data.labels)
  begins = set()
  shifts = []
  for n in range(60):
    parts = batch.objects.images[n]
    np.testing.assert_allclose(
      batch.images[n], np.minimum(parts[0] + parts[1], 1), atol=1e-6
    )
    found = [find(part, images) for part in parts]
    classes = [labels[number] for number, _, _ in found]
    assert classes == batch.objects.targets[n].argmax(-1).tolist()
    assert classes[0] < classes[1], 'different, in the order of the classes'
    assert batch.targets[n].tolist() == [
      float(k in classes) for k in range(CLASSES)
    ]
    assert n % SIZE in [number for number, _, _ in found]
    begins.add(n % SIZE)
    shifts += [(top, left) for _, top, left in found]
  assert begins == set(range(SIZE))
  assert set(shifts) == {(t, k) for t in range(5) for k in range(5)}


def test_partners_are_drawn_equally_from_all_other_classes(data):
  """Chi-squared, over the partners of one image of a middle class."""
  example = int(np.flatnonzero(np.asarray(data.labels) == 2)[0])
  keys = jax.random.split(jax.random.key(1), 2000)
  indices = jnp.full(len(keys), example, jnp.int32)
  _, partners = pairs()._pairs(data, indices, keys)
  counts = np.bincount(partners, minlength=SIZE)
  others = np.asarray(data.labels) != 2
  assert counts[~others].sum() == 0
  expected = len(keys) / others.sum()
  chi_squared = ((counts[others] - expected) ** 2 / expected).sum()
  freedom = others.sum() - 1
  assert chi_squared < freedom + 5 * np.sqrt(2 * freedom)


def test_digits_may_leave_the_canvas_where_the_shift_is_larger(data):
  examples = pairs(padding=1, max_shift=5)
  indices = jnp.zeros(200, jnp.int32)
  batch = examples.training_batch(data, indices, KEYS[:200])
  assert batch.images.shape[1:] == examples.image_shape((4, 3, 1)) == (6, 5, 1)
  empty = np.asarray(batch.objects.images).sum((2, 3, 4)) == 0
  assert empty.any() and not empty.all()


def test_test_pairs_are_the_same_for_the_same_seed(data):
  indices = jnp.arange(3 * SIZE, dtype=jnp.int32)
  examples = pairs(test_pairs=3)
  assert examples.test_size(SIZE) == 3 * SIZE
  first = examples.test_batch(data, indices)
  again = pairs(test_pairs=3).test_batch(data, indices[::-1])
  np.testing.assert_array_equal(first.images, again.images[::-1])
  other = pairs(test_pairs=3, test_seed=1).test_batch(data, indices)
  assert (np.asarray(first.images) != other.images).any((1, 2, 3)).mean() > 0.9
  repeats = np.asarray(first.images).reshape(3, SIZE, -1)
  assert (repeats[0] != repeats[1]).any(-1).mean() > 0.9
  targets = np.asarray(first.targets)
  assert (targets.sum(-1) == 2).all()
  # Each image starts one pair in each round, not in class order.
  for part in targets.reshape(3, SIZE, CLASSES):
    assert (part.sum(0) >= np.bincount(data.labels)).all()
    assert not part[:3, 0].all()


def test_a_pair_does_not_depend_on_its_neighbours(data):
  indices = jnp.arange(8, dtype=jnp.int32)
  whole = pairs().training_batch(data, indices, KEYS[:8])
  half = pairs().training_batch(data, indices[4:], KEYS[4:8])
  jax.tree.map(
    lambda a, b: np.testing.assert_array_equal(a[4:], b), whole, half
  )


def test_each_image_is_prepared_first(data):
  dimmed = Preparation(contrast_range=(0.01, 0.02))
  examples = PairExamples(SingleExamples(CLASSES, dimmed))
  indices = jnp.arange(8, dtype=jnp.int32)
  flat = examples.training_batch(data, indices, KEYS[:8]).objects.images
  for canvas in np.asarray(flat).reshape(16, -1):
    assert np.ptp(canvas[canvas > 0]) < 0.02
