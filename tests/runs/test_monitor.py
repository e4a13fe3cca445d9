"""What a run measures and draws, and when."""

from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.examples import Batch
from capsjax.runs import configuration
from capsjax.runs.experiment import Experiment
from capsjax.runs.monitor import Monitor
from capsjax.runs.trainer import create_plan
from capsjax.runs.writers import Writers
from capsjax.training import Progress
from tests.conftest import REPOSITORY
from tests.running import TINY_NETWORK
from tests.training import tiny

FIELDS = (
  *TINY_NETWORK,
  '--config.batch_size=4',
  '--config.num_epochs=2',
)


def evaluate_each_epoch(*fields):
  """Evaluates after each of two epochs; returns what was drawn after each."""
  path = REPOSITORY / 'configs' / 'digits.py'
  experiment = Experiment.create(
    configuration.load_config(path, [*FIELDS, *fields]), tiny.dataset()
  )
  plan = create_plan(experiment)
  writer = mock.create_autospec(Writers, instance=True)
  progress = Progress(
    total_steps=plan.num_steps,
    initial_step=0,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=4,
    enabled=False,
  )
  with progress:
    monitor = Monitor(experiment, plan, None, writer=writer, progress=progress)
    state = experiment.devices.replicate(experiment.create_state())
    for step in (plan.steps_per_epoch, plan.num_steps):
      monitor(step, state.variables)
  return [call.args for call in writer.write_images.call_args_list], plan


@pytest.mark.parametrize('every_evaluation', [False, True])
@jax.numpy_dtype_promotion('standard')
def test_pictures_are_drawn_at_the_end_or_when_asked(every_evaluation):
  field = f'--config.pictures.every_evaluation={every_evaluation}'
  drawn, plan = evaluate_each_epoch(field)
  steps = [step for step, _ in drawn]
  assert steps == [plan.steps_per_epoch, plan.num_steps][not every_evaluation :]
  for _, pictures in drawn:
    assert set(pictures) == {
      'test/confusion',
      'test/images_and_reconstructions',
    }


@jax.numpy_dtype_promotion('standard')
def test_the_end_may_come_early():
  drawn, plan = evaluate_each_epoch(
    '--config.stop_at_accuracy=0.01', '--config.select_best_by=test'
  )
  assert [step for step, _ in drawn] == [plan.steps_per_epoch, plan.num_steps]


@jax.numpy_dtype_promotion('standard')
def test_a_split_is_sent_to_the_devices_once():
  path = REPOSITORY / 'configs' / 'digits.py'
  experiment = Experiment.create(
    configuration.load_config(path, FIELDS), tiny.dataset()
  )
  test, train = experiment.dataset.test, experiment.dataset.train
  data = experiment.data_of(test)
  assert experiment.data_of(train) is not data
  assert experiment.data_of(test) is data


@jax.numpy_dtype_promotion('standard')
@pytest.mark.parametrize('is_on', [False, True])
@pytest.mark.parametrize('stream_images', [False, True])
def test_capsules_and_gradients_are_measured_if_asked(is_on, stream_images):
  path = REPOSITORY / 'configs' / 'digits.py'
  fields = (
    f'--config.diagnostics={is_on}',
    f'--config.stream_images={stream_images}',
  )
  experiment = Experiment.create(
    configuration.load_config(path, [*FIELDS, *fields]), tiny.dataset()
  )
  writer = mock.create_autospec(Writers, instance=True)
  progress = mock.create_autospec(Progress, instance=True)
  plan = create_plan(experiment)
  monitor = Monitor(experiment, plan, None, writer=writer, progress=progress)
  state = experiment.devices.replicate(experiment.create_state())
  monitor(1, state.variables)
  written = {
    name: value
    for call in writer.write_scalars.call_args_list
    for name, value in call.args[1].items()
    if name.startswith(('capsules/', 'gradient_norm/'))
  }
  assert written == monitor.diagnosis
  if not is_on:
    assert not written
    return
  images = jnp.asarray(experiment.dataset.train.images[:4] / np.float32(255))
  labels = experiment.dataset.train.labels[:4]
  targets = jax.nn.one_hot(labels, tiny.CLASSES)

  def loss(params):
    output = experiment.model.apply({'params': params}, images, targets)
    batch = Batch(images, targets, jnp.ones(4))
    return experiment.objective(output, batch).total.mean()

  gradients = jax.grad(loss)(jax.device_get(state.params))
  for part, leaves in gradients.items():
    squares = sum((leaf**2).sum() for leaf in jax.tree.leaves(leaves))
    found = written[f'gradient_norm/{part}']
    assert found == pytest.approx(np.sqrt(squares), rel=1e-3), part
  output = experiment.model.apply(state.variables, images)
  lengths = np.linalg.norm(output.capsules, axis=-1)
  found = written['capsules/class_capsules/length']
  assert found == pytest.approx(lengths.mean(), rel=1e-4)
