"""Networks of matrix capsules, trained and opened as any other."""

import numpy as np
import pytest

import capsjax as library
from capsjax.data import load_digits
from tests.running import beside, capsjax

TINY = (
  *('--config.dataset=digits', '--config.train_size=120'),
  *('--config.images.crop_size=0', '--config.batch_size=60'),
  *('--config.model.conv_features=4', '--config.model.conv_strides=(4, 4)'),
  *('--config.model.num_types=2', '--config.model.capsule_types=(2,)'),
  *('--config.model.capsule_kernel_sizes=(3,)', '--config.num_epochs=1'),
  *('--config.model.capsule_strides=(2,)', '--config.model.pose_side=2'),
  *('--config.model.routing.num_iterations=2', '--config.diagnostics=True'),
)


def configured(name):
  return ('--config', f'configs/{name}.py', *TINY)


def opened(workdir):
  run, images = library.load(workdir), load_digits().test.images[:4]
  return run.predict(images), run.couplings(images), run.capsules(images)


@pytest.mark.parametrize(
  ('name', 'loss'),
  [('matrix_capsules', 'spread_loss'), ('vb_capsules', 'cross_entropy')],
)
def test_it_is_trained_and_opened(name, loss, tmp_path):
  done = capsjax(*configured(name), '--workdir', tmp_path)
  assert done.status == 0, done.err
  assert name in done.out
  assert f'"test/{loss}"' in (tmp_path / 'metrics.jsonl').read_text()
  predictions, couplings, capsules = beside(opened, tmp_path)
  assert predictions.shape == (4,)
  # A grid of 2x2 with two types; the parents of a child compete.
  assert couplings.shape == (4, 2 * 2 * 2, 10)
  np.testing.assert_allclose(couplings.sum(-1), 1, atol=1e-5)
  assert capsules.shape == (4, 10, 4)
  evaluated = capsjax('evaluate', '--workdir', tmp_path)
  assert evaluated.status == 0, evaluated.err


def test_two_objects_need_another_loss(tmp_path):
  words = (*configured('matrix_capsules'), '--workdir', tmp_path / 'run')
  refusal = capsjax(
    *words, '--config.num_objects=2', '--config.images.standardize=False'
  ).refusal
  assert 'num_objects=1' in refusal and 'matrix_capsules' in refusal


def test_a_receptive_field_that_does_not_fit_is_told(tmp_path):
  words = configured('vb_capsules')
  # A second value would not replace the first.
  words = [word for word in words if 'conv_strides' not in word]
  words += ['--config.model.conv_strides=(20, 20)', '--workdir', tmp_path]
  refusal = capsjax(*words).refusal
  assert 'receptive field of (3, 3) is larger than the grid (2, 2)' in refusal


def test_fields_of_layers_need_a_value_for_each(tmp_path):
  words = ('--config', 'configs/matrix_capsules.py', '--workdir', tmp_path)
  refusal = capsjax(
    *words,
    '--config.dataset=digits',
    '--config.images.crop_size=0',
    '--config.model.capsule_types=(3, 3, 3)',
  ).refusal
  assert 'capsule_types 3, capsule_kernel_sizes 2' in refusal
