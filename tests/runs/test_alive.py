"""The default settings keep the capsules of the paper's network alive."""

import functools

import pytest

from capsjax.examples import epoch_permutation
from capsjax.runs import Experiment, load_config
from tests.running import REPOSITORY, beside

# The paper's network with 2 of its 32 types, for 60 steps of the digits. Its
# primary capsules have as many inputs as the paper's: 20,736.
_STEPS = 60
_FIELDS = ('model.num_types=2', 'model.decoder_sizes=(8,)')


def train(*fields):
  """Returns the capsule statistics after a short training."""
  overrides = [f'--config.{field}' for field in (*_FIELDS, *fields)]
  config = load_config(REPOSITORY / 'configs' / 'digits.py', overrides)
  experiment = Experiment.create(config)
  train_fn = experiment.train_fn()
  state = experiment.devices.replicate(experiment.create_state())
  data = experiment.data_of(experiment.dataset.train)
  for step in range(_STEPS):
    epoch = step // experiment.steps_per_epoch
    order = epoch_permutation(experiment.keys.order, epoch, len(data.labels))
    state, _ = train_fn(state, data, order, 1)
  return experiment.diagnose(state.variables)


@functools.cache
def statistics(*fields):
  found = beside(train, *fields)
  return {name.removeprefix('capsules/'): found[name] for name in found}


def test_lengths_differ_between_images():
  found = statistics()
  assert 0.1 < found['primary_capsules/length'] < 0.8
  assert found['primary_capsules/length_deviation'] > 0.05


def test_couplings_leave_the_uniform_ones():
  """By as much as 72 capsules with a satisfied loss must, at least."""
  found = statistics()
  # Up to the rounding of a mean in float32.
  uniform = pytest.approx(0.1, rel=1e-4)
  assert found['class_capsules/largest_coupling_1'] == uniform
  assert found['class_capsules/largest_coupling_3'] > 0.11


def test_without_a_warm_up_they_are_saturated():
  """So that the tests above can fail."""
  found = statistics('optimizer.warmup_steps=0')
  assert found['primary_capsules/length'] > 0.99
  assert found['primary_capsules/length_deviation'] < 0.01
