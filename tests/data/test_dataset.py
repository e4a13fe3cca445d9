import dataclasses

import numpy as np
import pytest

from capsjax.data import (
  Dataset,
  Split,
  hold_out,
)
from capsjax.data.dataset import checked_split, limit_training


def make_split(count, size=(4, 3), start=0):
  """Makes a split whose image values and labels identify each example."""
  labels = np.arange(start, start + count, dtype=np.int32)
  images = np.broadcast_to(
    labels.astype(np.uint8)[:, None, None, None], (count, *size, 2)
  )
  return Split(images, labels)


def make_dataset(train=20, **changes):
  fields = dict(name='toy', validation=None, num_classes=100)
  fields |= dict(train=make_split(train), test=make_split(5, start=50))
  return Dataset(**fields | changes)


def test_lengths_and_image_shape():
  dataset = make_dataset()
  assert len(dataset.train) == 20
  assert len(dataset.test) == 5
  assert dataset.image_shape == (4, 3, 2)


def test_is_frozen():
  with pytest.raises(dataclasses.FrozenInstanceError):
    make_dataset().name = 'other'


@pytest.mark.parametrize('split', ['test', 'validation'])
def test_images_of_other_sizes_are_refused(user_error, split):
  with user_error('toy', '(4, 3, 2)', '(3, 4, 2)', 'one size'):
    make_dataset(**{split: make_split(5, size=(3, 4))})


def test_checked_split_converts_labels():
  images = np.zeros((3, 2, 2, 1), np.uint8)
  labels = np.array([0, 9, 3], np.int64)
  split = checked_split(images, labels, num_classes=10, source='here')
  assert split.labels.dtype == np.int32
  assert split.labels.tolist() == [0, 9, 3]
  assert split.images is images


@pytest.mark.parametrize(
  ('labels', 'trouble'),
  [
    ([0, 1], '3 images but 2 labels'),
    ([0, 1, 10], 'labels run from 0 to 10'),
    ([-1, 1, 9], 'labels run from -1 to 9'),
  ],
)
def test_labels_that_do_not_fit_are_refused(user_error, labels, trouble):
  images = np.zeros((3, 2, 2, 1), np.uint8)
  with user_error('here:', trouble):
    checked_split(images, np.array(labels), num_classes=10, source='here')


def test_a_split_without_images_is_refused(user_error):
  images, labels = np.zeros((0, 2, 2, 1), np.uint8), np.zeros(0, np.int32)
  with user_error('here:', 'no images'):
    checked_split(images, labels, num_classes=10, source='here')


def test_hold_out_parts_the_training_images():
  dataset = make_dataset()
  held = hold_out(dataset, validation_size=6, seed=1)
  assert (len(held.train), len(held.validation)) == (14, 6)
  assert held.test is dataset.test
  both = np.concatenate([held.train.labels, held.validation.labels])
  assert sorted(both.tolist()) == list(range(20))
  for split in (held.train, held.validation):
    # Images keep their labels and order.
    np.testing.assert_array_equal(split.images[:, 1, 2, 1], split.labels)
    assert (np.diff(split.labels) > 0).all()


def test_hold_out_is_random_and_seeded():
  chosen = [
    hold_out(make_dataset(), validation_size=6, seed=seed).validation.labels
    for seed in (0, 0, 1, 2)
  ]
  assert chosen[0].tolist() == chosen[1].tolist()
  assert len({tuple(labels.tolist()) for labels in chosen}) == 3


def test_hold_out_of_nothing_changes_nothing():
  dataset = make_dataset()
  assert hold_out(dataset, validation_size=0, seed=0) is dataset


@pytest.mark.parametrize('size', [-1, 20, 21])
def test_hold_out_of_too_many_is_refused(user_error, size):
  with user_error('validation_size', size, '20 training images'):
    hold_out(make_dataset(), validation_size=size, seed=0)


def test_hold_out_of_all_but_one():
  held = hold_out(make_dataset(), validation_size=19, seed=0)
  assert (len(held.train), len(held.validation)) == (1, 19)


def test_hold_out_leaves_a_validation_split_alone(user_error):
  dataset = make_dataset(validation=make_split(3, start=90))
  assert hold_out(dataset, validation_size=0, seed=0).validation is not None
  with user_error('toy has a validation split', '3 images'):
    hold_out(dataset, validation_size=2, seed=0)


def test_a_part_of_the_training_images_is_left():
  dataset = make_dataset(validation=make_split(3, start=90))
  part = limit_training(dataset, train_size=7, seed=1)
  assert part.test is dataset.test and part.validation is dataset.validation
  assert len(part.train) == 7 and len(dataset.train) == 20
  # Images keep their labels and order, without duplicates.
  images, labels = part.train.images, part.train.labels
  np.testing.assert_array_equal(images[:, 1, 2, 1], labels)
  assert (np.diff(labels) > 0).all() and set(labels) <= set(range(20))


def test_the_part_that_is_left_grows_with_its_size_and_depends_on_the_seed():
  def left(size, seed):
    part = limit_training(make_dataset(), train_size=size, seed=seed)
    return set(part.train.labels.tolist())

  assert left(5, 0) == left(5, 0) < left(12, 0) < left(19, 0)
  assert len({frozenset(left(5, seed)) for seed in range(3)}) == 3


def test_all_training_images_are_left_by_0_and_by_their_number():
  dataset = make_dataset()
  assert limit_training(dataset, train_size=0, seed=0) is dataset
  whole = limit_training(dataset, train_size=20, seed=0)
  np.testing.assert_array_equal(whole.train.labels, dataset.train.labels)


def test_more_training_images_than_there_are_is_refused(user_error):
  with user_error('train_size=21', 'toy has 20 training images'):
    limit_training(make_dataset(), train_size=21, seed=0)
