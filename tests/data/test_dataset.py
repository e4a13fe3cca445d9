import dataclasses

import numpy as np
import pytest

from capsjax.data import (
  Dataset,
  Split,
  hold_out,
  limit_training,
  match_classes,
  mix_classes,
)
from capsjax.data.dataset import ARRAYS, checked_split
from capsjax.errors import UserError
from tests.running import beside


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


def refused(images, labels):
  """Returns why a data set of such a split is refused."""
  split = Split(images, labels)
  try:
    Dataset('toy', split, split, None, 3)
  except UserError as error:
    return str(error)


IMAGES, LABELS = np.zeros((3, 4, 4, 1), np.uint8), np.arange(3, dtype=np.int32)


@pytest.mark.parametrize(
  ('images', 'labels', 'trouble'),
  [
    (IMAGES / 255, LABELS, 'images are float64'),
    (IMAGES[..., 0], LABELS, 'of shape (3, 4, 4)'),
    (IMAGES, LABELS + 1, 'run from 1 to 3, but must lie in 0 to 2'),
    (IMAGES, LABELS - 1, 'run from -1 to 1'),
    (IMAGES, LABELS[:2], 'one for each image'),
    (IMAGES, np.eye(3, dtype=np.int32), 'of shape (3, 3)'),
    (IMAGES, LABELS.astype(np.int64), 'labels are int64'),
    (IMAGES, LABELS, None),
  ],
)
def test_a_data_set_made_by_hand_is_checked(images, labels, trouble):
  # In a process without the checks of annotations, as users have it.
  told = beside(refused, images, labels)
  assert told is None if trouble is None else trouble in told


def test_classes_get_the_numbers_of_other_data():
  names = ('one', 'two', 'zero')
  dataset = Dataset(
    'toy',
    Split(IMAGES, np.int32([0, 1, 2])),
    Split(IMAGES, np.int32([2, 2, 0])),
    Split(IMAGES, np.int32([1, 0, 0])),
    3,
    ('zero', 'one', 'two'),
  )
  matched = match_classes(dataset, names)
  assert matched.class_names == names
  for name, split in dataset.splits.items():
    old = [dataset.class_names[label] for label in split.labels]
    new = [names[label] for label in matched.splits[name].labels]
    assert old == new
  assert match_classes(matched, names) is matched


@pytest.mark.parametrize(
  ('names', 'trouble'),
  [
    (('zero', 'one', 'too'), 'has two and lacks too'),
    (('zero', 'one', 'two', 'three'), 'it lacks three;'),
    (('zero', 'one'), 'it has two;'),
    (('0', '1', '2'), 'has zero, one, two and lacks 0, 1, 2'),
  ],
)
def test_other_classes_are_refused(user_error, names, trouble):
  split = Split(IMAGES, LABELS)
  dataset = Dataset('toy', split, split, None, 3, ('zero', 'one', 'two'))
  with user_error('toy has other classes', trouble):
    match_classes(dataset, names)


def test_arrays_without_names_are_numbered_alike(user_error):
  split, names = Split(IMAGES, LABELS), ('zero', 'one', 'two')
  matched = match_classes(Dataset(ARRAYS, split, split, None, 3), names)
  assert matched.class_names == names
  assert matched.test.labels.tolist() == [0, 1, 2]
  with user_error('other classes'):
    match_classes(Dataset('folder', split, split, None, 3), names)


def test_a_sorted_test_split_is_mixed():
  sorted_split = make_split(60)
  by_seed = [
    mix_classes(make_dataset(test=sorted_split), seed=seed)
    for seed in (0, 0, 1)
  ]
  for mixed in by_seed:
    # Images stay with their labels.
    np.testing.assert_array_equal(
      mixed.test.images[:, 0, 0, 0], mixed.test.labels
    )
    assert sorted(mixed.test.labels) == sorted_split.labels.tolist()
    np.testing.assert_array_equal(mixed.train.labels, make_split(20).labels)
  orders = [mixed.test.labels.tolist() for mixed in by_seed]
  assert orders[0] == orders[1] != orders[2]
  assert orders[0] != sorted(orders[0])


def test_a_mixed_test_split_stays():
  split = make_split(10)
  split = Split(split.images[::-1], split.labels[::-1])
  dataset = make_dataset(test=split)
  assert mix_classes(dataset, seed=0) is dataset
