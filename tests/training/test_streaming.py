"""Tests which images are sent to the device for each compiled call."""

import jax
import numpy as np
import pytest

from capsjax.examples import DeviceData, epoch_permutation
from capsjax.training import (
  Metrics,
  TrainState,
  stream_evaluation,
  stream_training,
)

BATCH = 4
SIZE = 22
STEPS_PER_EPOCH = SIZE // BATCH
DATA = DeviceData(
  np.arange(SIZE, dtype=np.uint8).reshape(SIZE, 1, 1, 1),
  np.arange(SIZE, dtype=np.int32) + 100,
)


class Device:
  """Gathers batches like the compiled functions, and records array shapes."""

  def __init__(self):
    self.shapes = set()
    self.put_arrays = []

  def put(self, tree):
    self.put_arrays.append(tree)
    return tree

  def train(self, state, data, order, num_steps):
    assert len(order) == SIZE
    assert any(data is tree for tree in self.put_arrays)
    self.shapes.add(data.images.shape)
    self.batches = []
    for step in range(int(state.step), int(state.step) + num_steps):
      start = step % STEPS_PER_EPOCH * BATCH
      indices = order[start : start + BATCH]
      self.batches.append((data.images[indices].ravel(), data.labels[indices]))
    return state, Metrics.empty(1)


@pytest.mark.parametrize('steps_per_call', [1, 2, 5])
def test_every_step_finds_its_images(steps_per_call):
  device = Device()
  train = stream_training(
    device.train,
    device.put,
    batch_size=BATCH,
    steps_per_epoch=STEPS_PER_EPOCH,
  )
  permutation = epoch_permutation(jax.random.key(0), 0, SIZE)
  # Calls of all lengths up to the maximum, in the second epoch.
  for first in range(STEPS_PER_EPOCH):
    for num_steps in range(1, min(steps_per_call, STEPS_PER_EPOCH - first) + 1):
      state = TrainState(np.int32(STEPS_PER_EPOCH + first), (), ())
      train(state, DATA, permutation, num_steps)
      assert len(device.batches) == num_steps
      for i, (images, labels) in enumerate(device.batches, first):
        expected = permutation[i * BATCH : (i + 1) * BATCH]
        np.testing.assert_array_equal(images, expected)
        np.testing.assert_array_equal(labels, expected + 100)
  # Only the images of each call are sent.
  assert device.shapes == {
    (count * BATCH, 1, 1, 1) for count in range(1, steps_per_call + 1)
  }


class NotYet:
  """A step that is still being computed."""

  def __int__(self):
    raise AssertionError('the host waits for the device')


def test_the_host_does_not_wait_for_the_steps_before():
  starts = []

  def train_fn(state, data, order, num_steps):
    starts.append(int(np.flatnonzero(order == 1)[0]) - 1)
    return TrainState(NotYet(), (), ()), Metrics.empty(1)

  train = stream_training(
    train_fn,
    lambda tree: tree,
    batch_size=BATCH,
    steps_per_epoch=STEPS_PER_EPOCH,
  )
  permutation = epoch_permutation(jax.random.key(0), 0, SIZE)
  state = TrainState(np.int32(0), (), ())
  # An epoch of five steps, and the start of the next.
  for num_steps in (2, 2, 1, 2):
    state, _ = train(state, DATA, permutation, num_steps)
  assert starts == [0, 2 * BATCH, 4 * BATCH, 0]


def test_every_test_example_is_found():
  device = Device()

  def evaluate(params, data, indices, weights, metrics):
    assert metrics == 'm'
    assert len(data.images) == 2 * BATCH
    return params, data.images[indices], data.labels[indices], weights

  streamed = stream_evaluation(evaluate, device.put)
  indices = np.array([[15, 16, 17, 18], [19, 20, 21, 21]], np.int32)
  params, images, labels, weights = streamed('p', DATA, indices, 'w', 'm')
  assert (params, weights) == ('p', 'w')
  np.testing.assert_array_equal(images[..., 0, 0, 0], indices)
  np.testing.assert_array_equal(labels, indices + 100)
