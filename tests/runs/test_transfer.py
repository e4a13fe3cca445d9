"""A run on five classes starts from a run on ten."""

import contextlib
import dataclasses
import io
import shutil

import jax
import numpy as np
import pytest

import capsjax
from capsjax.data import load_digits
from capsjax.runs.transfer import Source, transfer
from capsjax.training import TrainState
from tests import running
from tests.running import TINY_NETWORK, beside

FROZEN = ('conv', 'primary_capsules')
TINY = (
  *('--config', 'configs/digits.py', *TINY_NETWORK, '--config.num_epochs=1'),
  *('--config.batch_size=60', '--config.validation_size=1000'),
)


@pytest.fixture(scope='module')
def ten(tmp_path_factory):
  """Returns the folder of a run on all ten digits."""
  workdir = tmp_path_factory.mktemp('transfer') / 'ten'
  done = running.capsjax(*TINY, '--workdir', workdir)
  assert done.status == 0, done.err
  assert 'weights' not in done.out
  return workdir


def digits_below_five():
  digits = load_digits()
  return capsjax.dataset_from_arrays(
    *(
      (split.images[split.labels < 5], split.labels[split.labels < 5])
      for split in (digits.train, digits.test)
    )
  )


def train_on_five(workdir, other, fields, is_given=False):
  """Returns a run's parameters before and after, its optimiser's, its text.

  Args:
    workdir: its folder.
    other: the folder of a run with the same fields.
    fields: fields in which the two differ.
    is_given: whether to give the other's parameters, which are returned too.
  """
  there = capsjax.load(other)
  config = dataclasses.replace(
    there.config, seed=1, validation_size=0, freeze=FROZEN, **fields
  )
  with contextlib.redirect_stdout(io.StringIO()) as out:
    run = capsjax.train(
      config,
      workdir,
      dataset=digits_below_five(),
      params=there.params if is_given else None,
    )
  start = run.experiment.create_state()
  mean = start.opt_state[0].mu
  return jax.device_get((start.params, run.params, mean)), out.getvalue()


@pytest.fixture(scope='module')
def five(ten, tmp_path_factory):
  """Trains two epochs on five classes."""
  workdir = tmp_path_factory.mktemp('transfer') / 'five'
  fields = {'init_from': str(ten), 'num_epochs': 2}
  return beside(train_on_five, workdir, ten, fields)


@pytest.fixture(scope='module')
def params_of_ten(ten):
  return jax.device_get(capsjax.load(ten).params)


def assert_same_bits(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for one, other in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def test_frozen_parts_are_those_of_the_other_run(five, params_of_ten):
  (start, params, mean), _ = five
  for part in FROZEN:
    assert_same_bits(params[part], params_of_ten[part])
  assert np.any(start['conv']['kernel'] != params['conv']['kernel'])
  assert params['class_capsules']['kernel'].shape[1] == 5


def test_the_other_parts_are_trained(five, params_of_ten):
  (start, params, mean), _ = five
  random, loaded, trained = (
    p['decoder']['Dense_1']['kernel'] for p in (start, params_of_ten, params)
  )
  # In 24 steps with a rate below 1e-3.
  assert 0 < np.abs(trained - loaded).max() < 0.03
  assert np.abs(trained - random).max() > 0.1
  random, trained = (p['class_capsules']['kernel'] for p in (start, params))
  assert 0 < np.abs(trained - random).max() < 0.03
  assert sorted(mean) == ['class_capsules', 'decoder']


def test_what_was_loaded_is_told_in_one_line(five, ten):
  _, out = five
  (line,) = (line for line in out.splitlines() if 'loaded' in line)
  assert line == (
    f'weights   loaded from {ten}: conv, part of decoder, primary_capsules; '
    'not loaded: class_capsules.kernel has the shape (72, 10, 8, 16) there '
    'and (72, 5, 8, 16) here, decoder.Dense_0.kernel has the shape (160, 8) '
    'there and (80, 8) here; frozen: conv, primary_capsules'
  )


def test_it_is_continued_without_the_other_run(five, ten, tmp_path):
  """Two epochs are one, and then another after the other run is deleted."""
  other = shutil.copytree(ten, tmp_path / 'other')
  fields = {'init_from': str(other), 'num_epochs': 1}
  beside(train_on_five, tmp_path / 'five', ten, fields)
  shutil.rmtree(other)
  fields['num_epochs'] = 2
  (_, params, _), out = beside(train_on_five, tmp_path / 'five', ten, fields)
  assert 'continued after step' in out
  assert 'weights   frozen: conv, primary_capsules\n' in out
  assert_same_bits(params, five[0][1])


def give_params(workdir, other):
  """Trains twice; the second time, there is nothing left to do."""
  found, out = train_on_five(workdir, other, {'num_epochs': 2}, is_given=True)
  _, again = train_on_five(workdir, other, {'num_epochs': 2}, is_given=True)
  return found, out, again


def test_given_parameters_are_as_good_as_a_folder(five, ten, tmp_path):
  (_, params, _), out, again = beside(give_params, tmp_path / 'five', ten)
  assert_same_bits(params, five[0][1])
  assert 'loaded from params: conv' in out
  assert 'loaded' not in again


def test_given_parameters_are_copied():
  """Training would delete them; and they may have another type."""
  here = {'conv': {'bias': np.zeros(3, np.float32)}}
  state = TrainState(0, here, ())
  for kind in ('float32', 'bfloat16'):
    given = {'conv': {'bias': jax.numpy.ones(3, kind)}}
    source = Source('params', {'params': given})
    merged, _ = transfer(source, state, frozen=())
    bias = merged.params['conv']['bias']
    assert bias.dtype == np.float32 and np.all(bias == 1)
    assert not np.shares_memory(bias, np.asarray(given['conv']['bias']))


def refusal(*words):
  return running.capsjax(*TINY, *words).refusal


def test_a_network_that_does_not_fit_is_refused(ten, tmp_path):
  workdir = tmp_path / 'run'
  words = (f'--config.init_from={ten}', '--workdir', workdir)
  line = refusal(
    *words,
    *('--config.model.conv_features=5', '--config.model.primary_dim=3'),
    *('--config.model.capsule_dim=3', '--config.model.has_decoder=False'),
  )
  assert f'nothing in {ten} fits this network' in line
  assert 'class_capsules.kernel has the shape (72, 10, 8, 16) there' in line
  assert 'config.model' in line
  line = refusal(
    *words, '--config.model.capsule_dim=3', '--config.freeze=class_capsules'
  )
  assert "has 'class_capsules', but not all of it can be loaded" in line
  line = refusal(*words, '--config.freeze=capsules')
  assert 'did you mean class_capsules or primary_capsules' in line
  assert not workdir.exists()


def test_a_run_that_is_not_there_is_told_before_the_data_are_read(
  ten, tmp_path
):
  words = (
    *('--config.dataset=mnist', '--config.data_dir=/nowhere/at/all'),
    *('--workdir', tmp_path / 'run'),
  )
  nowhere = tmp_path / 'nowhere'
  line = refusal(*words, f'--config.init_from={nowhere}')
  assert f'config.init_from: {nowhere} holds no run; train one with' in line
  other = shutil.copytree(ten, tmp_path / 'other')
  shutil.rmtree(other / 'checkpoints')
  line = refusal(*words, f'--config.init_from={other}')
  assert f'{other} has no checkpoint yet; train it first' in line


def test_two_sources_are_refused(ten, tmp_path):
  config = dataclasses.replace(capsjax.load(ten).config, init_from=str(ten))
  with pytest.raises(capsjax.UserError, match='not both'):
    capsjax.train(config, tmp_path / 'run', params={})
