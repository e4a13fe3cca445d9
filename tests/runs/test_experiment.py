"""Networks for data sets that tests lack, on images of the right shape."""

import dataclasses

import jax
import numpy as np
import pytest

from capsjax.data import Dataset, Split
from capsjax.errors import UserError
from capsjax.examples import epoch_permutation
from capsjax.runs import configuration
from capsjax.runs.experiment import Experiment
from capsjax.runs.inference import Inference
from tests.conftest import REPOSITORY
from tests.running import TINY_NETWORK

TINY = ('--config.model.conv_features=4', '--config.model.num_types=2')
SMALL_BATCH = '--config.batch_size=8'
# For each data set, the image shape that its reader returns, the number of
# classes, and the input shape of its network.
SETS = {
  'cifar10': ((32, 32, 3), 10, (24, 24, 3)),
  'smallnorb': ((48, 48, 2), 5, (32, 32, 2)),
  'svhn': ((32, 32, 3), 10, (32, 32, 3)),
}


def split(size, shape, num_classes):
  rng = np.random.default_rng(size)
  return Split(
    rng.integers(0, 256, (size, *shape), np.uint8),
    rng.integers(0, num_classes, size, np.int32),
  )


def create(name, shape, num_classes, *overrides, size=16):
  parts = (split(n, shape, num_classes) for n in (size, 11))
  dataset = Dataset(name, *parts, None, num_classes)
  return create_with(dataset, *TINY, *overrides)


def create_with(dataset, *overrides):
  config = configuration.load_config(
    REPOSITORY / 'configs' / f'{dataset.name}.py', (SMALL_BATCH, *overrides)
  )
  return Experiment.create(config, dataset)


# Optax relies on implicit type promotion.
@jax.numpy_dtype_promotion('standard')
@pytest.mark.parametrize('name', SETS)
def test_a_network_trains_and_is_measured(name):
  shape, num_classes, expected = SETS[name]
  experiment = create(name, shape, num_classes, '--config.num_devices=1')
  assert experiment.image_shape == expected
  devices, train = experiment.devices, experiment.dataset.train
  state = devices.replicate(experiment.create_state())
  before = jax.device_get(state.params)
  order = epoch_permutation(experiment.keys.order, 0, len(train))
  state, metrics = experiment.train_fn()(
    state, experiment.data_of(train), order, 1
  )
  assert metrics.compute().count == 8
  moved = jax.tree.map(
    lambda a, b: float(np.abs(a - np.asarray(b)).max()), before, state.params
  )
  assert min(jax.tree.leaves(moved)) > 0, 'a parameter was not trained'
  results = experiment.evaluate(state.variables, experiment.dataset.test)
  assert results.count == 11
  assert np.isfinite(results.loss)


# Optax relies on implicit type promotion.
@jax.numpy_dtype_promotion('standard')
@pytest.mark.parametrize('name', ['cifar10', 'custom'])
def test_the_first_steps_do_not_saturate_the_capsules(name):
  """Trains the whole network on dark strokes on white.

  One network has the official code's initial values, the other only its primary
  scale. With a primary scale of 1, the first steps saturate the capsules and
  stall learning. Nothing else makes the steps small here.
  """
  shape, num_classes, _ = SETS.get(name, ((64, 64, 3), 10, None))
  rng = np.random.default_rng(0)
  images = np.where(rng.random((8, *shape)) < 0.2, 51, 255).astype(np.uint8)
  white = Split(images, np.arange(8, dtype=np.int32) % num_classes)
  experiment = create_with(
    Dataset(name, white, white, None, num_classes),
    *('--config.num_devices=1', '--config.optimizer.warmup_steps=0'),
  )
  state = experiment.devices.replicate(experiment.create_state())
  train = experiment.train_fn()
  data = experiment.data_of(white)
  for epoch in range(6):
    order = epoch_permutation(experiment.keys.order, epoch, len(white))
    state, _ = train(state, data, order, 1)
  results = experiment.evaluate(state.variables, white)
  # The loss is 0.9 ** 2 if all lengths are 0, and above 1.6 if all are 1.
  assert results.classification_loss < 0.9**2


# Optax relies on implicit type promotion.
@jax.numpy_dtype_promotion('standard')
@pytest.mark.parametrize('steps_per_call', [1, 3])
def test_streamed_images_give_the_same_network(steps_per_call):
  """Bit for bit, on two devices that hold only the images of one call."""
  found = []
  for is_streamed in (False, True):
    experiment = create(
      *('svhn', (16, 16, 3), 10, '--config.num_devices=2', *TINY_NETWORK),
      f'--config.stream_images={is_streamed}',
      size=40,
    )
    train_fn = experiment.train_fn()
    dataset = experiment.dataset
    data = experiment.data_of(dataset.train)
    assert isinstance(data.images, np.ndarray) == is_streamed
    state = experiment.devices.replicate(experiment.create_state())
    for epoch in range(2):
      order = epoch_permutation(experiment.keys.order, epoch, 40)
      # An epoch has five steps.
      for count in (1,) * 5 if steps_per_call == 1 else (3, 2):
        state, metrics = train_fn(state, data, order, count)
    assert metrics.compute().count == count * 8
    results = experiment.evaluate(state.variables, dataset.test)
    positions = np.array([10, 0, 3])
    inference = Inference(experiment)
    variables = jax.device_get(state.variables)
    scores = [
      output.scores for output, _ in inference.apply_in_batches(variables)
    ]
    found.append(
      [
        jax.device_get(state),
        *map(dataclasses.asdict, (metrics.compute(), results)),
        np.concatenate(scores),
        inference.apply(variables, positions).scores,
        inference.examples(positions).images,
      ]
    )
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_a_model_that_cannot_be_built_is_told():
  field = '--config.model.conv_kernel_size=(99, 99)'
  experiment = create('svhn', (32, 32, 3), 10, field)
  with pytest.raises(UserError, match=r'^config.model, for images of 32x32x3'):
    experiment.state_template()


def test_a_crop_larger_than_the_images_is_told():
  with pytest.raises(UserError, match='crop_size=24 is larger'):
    create('cifar10', (20, 20, 3), 10).state_template()


def test_standardised_images_are_not_laid_over_each_other():
  with pytest.raises(UserError, match='standardize=False'):
    create('cifar10', (32, 32, 1), 10, '--config.num_objects=2')


def test_a_run_that_is_to_stop_needs_something_to_go_by():
  with pytest.raises(UserError, match='validation_size=5000'):
    create('svhn', (32, 32, 3), 10, '--config.stop_at_accuracy=0.9')
  create(
    *('svhn', (32, 32, 3), 10, '--config.stop_at_accuracy=0.9'),
    '--config.select_best_by=test',
  )


def test_a_decoder_cannot_draw_standardised_images():
  with pytest.raises(UserError, match='has_decoder=False'):
    create('svhn', (32, 32, 3), 10, '--config.images.standardize=True')


def test_only_grey_images_are_laid_over_each_other():
  with pytest.raises(UserError, match='3 channels'):
    create('svhn', (32, 32, 3), 10, '--config.num_objects=2')


def test_a_loss_without_use_is_named():
  """The configuration replaced the model but kept its loss."""
  config = configuration.load_config(REPOSITORY / 'configs/mnist_baseline.py')
  values = dataclasses.asdict(config) | {'loss': {'down_weight': 0.5}}
  with pytest.raises(UserError, match=r'model has no use for loss\.down'):
    configuration.from_dict(values)
