"""When a run is drawn, and how often its images are sent to the device."""

from unittest import mock

import jax
import pytest

from capsjax import configuration
from capsjax.commands.monitor import Monitor
from capsjax.commands.train import create_plan
from capsjax.experiment import Experiment
from capsjax.training.progress import Progress
from capsjax.training.writers import NullWriter
from tests.conftest import REPOSITORY
from tests.running import TINY_NETWORK
from tests.training import tiny

FIELDS = (
  *TINY_NETWORK,
  '--config.batch_size=4',
  '--config.num_epochs=2',
)


def evaluate_each_epoch(*fields):
  """Evaluates after each of two epochs; returns what was drawn after which."""
  path = REPOSITORY / 'configs' / 'digits.py'
  experiment = Experiment.create(
    configuration.load(path, [*FIELDS, *fields]), tiny.dataset()
  )
  plan = create_plan(experiment)
  writer = mock.create_autospec(NullWriter, instance=True)
  progress = Progress(
    total_steps=plan.num_steps,
    initial_step=0,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=4,
    enabled=False,
  )
  with progress:
    monitor = Monitor(experiment, plan, None, writer=writer, progress=progress)
    params = experiment.devices.replicate(experiment.create_state()).params
    for step in (plan.steps_per_epoch, plan.num_steps):
      monitor(step, params)
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
    configuration.load(path, FIELDS), tiny.dataset()
  )
  test, train = experiment.dataset.test, experiment.dataset.train
  data = experiment.data_of(test)
  assert experiment.data_of(train) is not data
  assert experiment.data_of(test) is data
