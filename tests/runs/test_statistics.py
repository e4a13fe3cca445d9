"""A network with batch statistics, from training to the last command."""

import shutil

import jax
import numpy as np
import pytest
from flax import traverse_util

import capsjax as library
from capsjax.data import load_digits
from tests.running import beside, capsjax

TINY = (
  *('--config', 'configs/efficient_capsnet.py', '--config.dataset=digits'),
  *('--config.model.conv_features=(4, 8)', '--config.batch_size=60'),
  *('--config.model.conv_kernel_sizes=(5, 3)', '--config.train_size=300'),
  *('--config.model.conv_strides=(3, 2)', '--config.model.num_primary=4'),
  *('--config.model.primary_dim=2', '--config.model.decoder_sizes=(8,)'),
  *('--config.pictures.num_images=2', '--config.pictures.perturbation_steps=3'),
)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('statistics') / 'run'
  done = capsjax(*TINY, '--config.num_epochs=2', '--workdir', workdir)
  assert done.status == 0, done.err
  return workdir


@pytest.fixture(scope='module')
def variables(trained):
  return beside(variables_of, trained)


def variables_of(workdir):
  found = jax.device_get(library.load(workdir).variables)
  return {k: traverse_util.flatten_dict(v, sep='.') for k, v in found.items()}


def assert_same_bits(a, b):
  jax.tree.map(np.testing.assert_array_equal, a, b)


def test_it_is_continued_bit_for_bit(variables, tmp_path):
  words = (*TINY, '--workdir', tmp_path)
  assert capsjax(*words, '--config.num_epochs=1').status == 0
  before = beside(variables_of, tmp_path)['batch_stats']
  done = capsjax(*words, '--config.num_epochs=2')
  assert 'continued after step 5' in done.out
  assert_same_bits(beside(variables_of, tmp_path), variables)
  assert np.any(
    before['norm_0.mean'] != variables['batch_stats']['norm_0.mean']
  )


def scores_of(workdir):
  run, images = library.load(workdir), load_digits().test.images
  together, alone = run.scores(images[:9]), run.scores(images[3])
  couplings = run.couplings(images[:9])
  with_own = run.model.apply(
    run.variables,
    run.prepare(images[:9]),
    train=True,
    mutable=['batch_stats'],
  )[0].scores
  return together, alone, couplings, np.asarray(with_own)


def test_statistics_are_frozen_outside_of_training(trained):
  """An image is scored alone as in any batch, unlike in training."""
  together, alone, couplings, with_own = beside(scores_of, trained)
  np.testing.assert_allclose(together[3], alone, atol=1e-5)
  assert np.abs(together - with_own).max() > 1e-3
  assert couplings.shape == (9, 4, 10)


# The report also reconstructs and perturbs.
@pytest.mark.parametrize('command', ['evaluate', 'report'])
def test_the_commands_take_it(trained, command):
  done = capsjax(command, '--workdir', trained)
  assert done.status == 0, done.err
  assert 'Traceback' not in done.err


def test_the_explorer_refuses_it(trained):
  refusal = capsjax('explore', '--workdir', trained).refusal
  assert 'efficient_capsnet' in refusal and 'reconstruct' in refusal


def test_its_weights_are_exported_with_the_statistics(
  trained, variables, tmp_path
):
  from safetensors.numpy import load_file

  folder = shutil.copytree(trained, tmp_path / 'copy')
  done = capsjax('export', '--workdir', folder)
  assert done.status == 0, done.err
  found = load_file(folder / 'weights.safetensors')
  assert_same_bits(found, variables['params'] | variables['batch_stats'])


def test_another_run_starts_from_its_statistics(trained, variables, tmp_path):
  """One more step adds little to what ten steps have accumulated."""
  done = capsjax(
    *(*TINY, f'--config.init_from={trained}', '--workdir', tmp_path),
    *('--config.num_epochs=1', '--config.optimizer.learning_rate=1e-12'),
    '--config.train_size=60',
  )
  assert done.status == 0, done.err
  assert 'not loaded' not in done.out
  mean = beside(variables_of, tmp_path)['batch_stats']['norm_0.mean']
  before = variables['batch_stats']['norm_0.mean']
  # The weight of a step is 0.01, so one from zero would be a tenth of this.
  np.testing.assert_allclose(mean, before, rtol=0.2)
