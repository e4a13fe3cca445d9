"""The diagnosis of saturated, dead and idly routed capsules."""

from unittest import mock

import pytest

from capsjax.models import BaselineCNN, CapsNet
from capsjax.runs.config import Config, OptimizerConfig
from capsjax.runs.diagnosis import diagnosis_line
from capsjax.runs.experiment import Experiment

# Numbers of a trained network whose capsules are alive.
ALIVE = {
  'capsules/primary_capsules/length': 0.26,
  'capsules/primary_capsules/length_deviation': 0.15,
  'capsules/primary_capsules/share_long': 0.0,
  'capsules/primary_capsules/share_short': 0.002,
  'capsules/class_capsules/length': 0.16,
  'capsules/class_capsules/length_deviation': 0.24,
  'capsules/class_capsules/share_long': 0.0,
  'capsules/class_capsules/share_short': 0.0,
  'capsules/class_capsules/largest_coupling_1': 0.1,
  'capsules/class_capsules/largest_coupling_2': 0.2,
  'capsules/class_capsules/largest_coupling_3': 0.4,
  'capsules/class_capsules/coupling_entropy_1': 1.0,
  'capsules/class_capsules/coupling_entropy_2': 0.9,
  'capsules/class_capsules/coupling_entropy_3': 0.7,
  'gradient_norm/conv': 0.004,
}


def line(model=None, *, config=None, **changes):
  named = {name.replace('__', '/'): value for name, value in changes.items()}
  experiment = mock.Mock(
    spec=Experiment, model=model or CapsNet(), config=config or Config()
  )
  numbers = ALIVE | {f'capsules/{name}': v for name, v in named.items()}
  return diagnosis_line(experiment, numbers)


def test_nothing_is_said_of_capsules_that_are_alive():
  assert line() is None
  assert diagnosis_line(mock.Mock(spec=Experiment), {}) is None
  # One iteration does not route: its couplings are all uniform.
  one = {name: n for name, n in ALIVE.items() if name[-1] not in '23'}
  assert diagnosis_line(mock.Mock(spec=Experiment), one) is None


@pytest.mark.parametrize(
  ('model', 'warmup_steps', 'remedy'),
  [
    (CapsNet(), 0, '--config.optimizer.warmup_steps=100'),
    (CapsNet(), 100, '--config.model.primary_scale=0.03125'),
    (CapsNet(num_types=1), 50, '--config.optimizer.learning_rate=0.0001'),
    (CapsNet(primary_scale=0.1), 9, '--config.optimizer.learning_rate=0.0001'),
    (BaselineCNN(), 100, '--config.optimizer.learning_rate=0.0001'),
  ],
)
def test_saturated_capsules(model, warmup_steps, remedy):
  config = Config(optimizer=OptimizerConfig(warmup_steps=warmup_steps))
  long = {
    'primary_capsules__length': 0.982,
    'primary_capsules__length_deviation': 0.017,
  }
  said = line(model, config=config, **long)
  assert said.startswith('primary_capsules are saturated (lengths of 0.98')
  assert '0.017' in said and said.endswith(f'try {remedy}')
  # Long capsules that vary between images are not saturated.
  assert line(model, **long | {'primary_capsules__length_deviation': 0.1}) is (
    None
  )


def test_dead_capsules():
  said = line(class_capsules__share_short=0.97)
  assert said.startswith('class_capsules are dead (97% of their lengths')


def test_idle_routing():
  said = line(
    class_capsules__coupling_entropy_3=0.9996,
    class_capsules__largest_coupling_3=0.104,
  )
  assert said.startswith('class_capsules are routed idly (the largest coupling')
  assert '0.100 in iteration 1 and 0.104 in iteration 3' in said
  assert '; ' not in said


def test_several_faults_are_all_named():
  said = line(
    primary_capsules__share_short=1.0,
    class_capsules__coupling_entropy_3=1.0,
  )
  assert said.count('; ') == 1
