"""Data sets from arrays: what is meant is taken, the rest is told."""

import numpy as np
import pytest

from capsjax.data import dataset_from_arrays
from capsjax.errors import UserError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 5, 4, 3), np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def made(images=IMAGES, labels=LABELS, **knobs):
  return dataset_from_arrays((images, labels), (IMAGES, LABELS), **knobs)


@pytest.mark.parametrize(
  'labels',
  [
    LABELS.astype(np.int64),
    LABELS.astype(np.uint8),
    LABELS.astype(np.float32),
    LABELS[:, None],
    np.eye(3)[LABELS],
    list(map(int, LABELS)),
  ],
  ids=['int64', 'uint8', 'float', 'column', 'one-hot', 'list'],
)
def test_labels_of_every_form_are_the_same(labels):
  found = made(labels=labels)
  np.testing.assert_array_equal(found.train.labels, LABELS)
  assert found.train.labels.dtype == np.int32
  assert found.num_classes == 3


def test_floats_are_rounded_to_bytes():
  found = made(IMAGES / 255)
  np.testing.assert_array_equal(found.train.images, IMAGES)


def test_grey_images_get_their_channel():
  pair = IMAGES[..., 0], LABELS
  found = dataset_from_arrays(pair, pair, validation=pair)
  np.testing.assert_array_equal(found.train.images, IMAGES[..., :1])
  assert found.validation.images.shape == (6, 5, 4, 1)


def test_classes_may_be_named():
  assert made(class_names=('a', 'b', 'c', 'd')).num_classes == 4


@pytest.mark.parametrize(
  ('images', 'labels', 'hint'),
  [
    (IMAGES, LABELS + 1, r'from 1 to 3.* subtract 1'),
    (IMAGES, LABELS - 1, 'number them from 0'),
    (IMAGES, LABELS + 0.5, 'whole numbers'),
    (IMAGES, np.array(list('abcabc')), 'class_names'),
    (IMAGES, LABELS[:5], '6 images but 5 labels'),
    (IMAGES, np.ones((6, 3)), 'one-hot'),
    (IMAGES, LABELS[:0], 'shape'),
    (IMAGES.astype(np.int64), LABELS, 'int64 from'),
    (IMAGES.astype(np.float32), LABELS, r'floats in \[0, 1\]'),
    (IMAGES / 127.5 - 1, LABELS, r'floats in \[0, 1\]'),
    (IMAGES * np.nan, LABELS, r'floats in \[0, 1\]'),
    (IMAGES[0, 0], LABELS, 'shape'),
    (IMAGES[:, :4], LABELS, 'one size'),
  ],
)
def test_what_cannot_be_meant_is_told(images, labels, hint):
  with pytest.raises(UserError, match=hint):
    made(images, labels)


def test_a_label_without_a_class_is_told():
  with pytest.raises(UserError, match='a label is 2, but there are 2 classes'):
    made(class_names=('a', 'b'))


def test_one_hot_labels_tell_the_number_of_classes():
  found = made(labels=np.eye(5)[LABELS])
  assert found.num_classes == 5


def test_named_classes_may_lack_training_images():
  found = made(labels=LABELS + 1, class_names=('a', 'b', 'c', 'd'))
  np.testing.assert_array_equal(found.train.labels, LABELS + 1)


def test_the_classes_are_those_of_the_training_images():
  pair = IMAGES, np.array([0, 1, 2, 3, 1, 2])
  with pytest.raises(UserError, match='test: a label is 3, but there are 3'):
    dataset_from_arrays((IMAGES, LABELS), pair)
