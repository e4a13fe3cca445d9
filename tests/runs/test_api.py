"""A trained run in a script: `capsjax.load` and `capsjax.train`."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest

import capsjax
from capsjax.data import load_digits
from capsjax.runs import load_config
from tests.running import REPOSITORY, beside

ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
CONFIG = REPOSITORY / 'configs' / 'digits.py'


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  folder = tmp_path_factory.mktemp('api')
  shutil.unpack_archive(ARCHIVE, folder)
  return folder / 'run'


@pytest.fixture(scope='module')
def run(workdir):
  return capsjax.load(workdir)


@pytest.fixture(scope='module')
def test():
  return load_digits().test


def test_the_error_is_that_of_the_evaluation(run, workdir, test):
  is_right = run.predict(test.images) == test.labels
  record = json.loads((workdir / 'evaluation.json').read_text())
  assert 100 * (1 - is_right.mean()) == pytest.approx(record['error_percent'])
  assert run.evaluate().error == pytest.approx(record['error_percent'])


def test_the_numbers_are_those_of_the_model(run, test):
  images = np.float32(test.images[:5] / 255)
  output, variables = jax.jit(
    lambda images: run.model.apply(
      {'params': run.params}, images, mutable=['intermediates']
    )
  )(images)
  (couplings,) = variables['intermediates']['class_capsules']['couplings']
  close = {'rtol': 1e-5, 'atol': 1e-6}
  np.testing.assert_allclose(run.lengths(images), output.scores, **close)
  np.testing.assert_allclose(run.capsules(images), output.capsules, **close)
  np.testing.assert_allclose(run.couplings(images), couplings[-1], **close)
  decoded = run.reconstruct(run.capsules(images))
  np.testing.assert_allclose(decoded, output.reconstructions, **close)


def test_any_leading_axes(run, test):
  expected = run.capsules(test.images[:6])
  found = run.capsules(test.images[:6].reshape(2, 3, 28, 28, 1))
  assert found.shape == (2, 3, *expected.shape[1:])
  np.testing.assert_allclose(found.reshape(expected.shape), expected, atol=1e-6)
  one = run.capsules(test.images[0])
  np.testing.assert_allclose(one, expected[0], atol=1e-6)
  assert run.reconstruct(found).shape == (2, 3, 28, 28, 1)
  assert run.predict(test.images[0]).shape == ()
  assert run.predict(test.images[:0]).shape == (0,)
  assert run.reconstruct(run.capsules(test.images[:0])).shape == (0, 28, 28, 1)
  # More than a batch.
  many = run.capsules(test.images[:40])
  assert run.reconstruct(many).shape == (40, 28, 28, 1)


def test_grey_images_need_no_channel(run, test):
  np.testing.assert_array_equal(
    run.predict(test.images[:4, ..., 0]), run.predict(test.images[:4])
  )


def test_a_capsule_of_another_class_can_be_decoded(run, test):
  capsules = run.capsules(test.images[:3])
  found = [run.reconstruct(capsules, labels=k) for k in (0, 1)]
  assert np.abs(found[0] - found[1]).max() > 0.01
  one = run.reconstruct(capsules, labels=[0, 1, 0])
  np.testing.assert_allclose(one[1], found[1][1], atol=1e-6)


@pytest.mark.parametrize(
  ('shape', 'labels', 'hint'),
  [
    ((3, 10, 5), None, r'class capsules of \[..., 10, 4\]'),
    ((3, 10, 4), 10, 'run from 10 to 10, but the classes are 0 to 9'),
    ((3, 10, 4), -1, 'run from -1'),
    ((3, 10, 4), [0, 1], r'one for each of the capsules \(3,\)'),
    ((3, 10, 4), 0.5, 'float64'),
  ],
)
def test_capsules_that_do_not_fit_are_told(run, shape, labels, hint):
  with pytest.raises(capsjax.UserError, match=hint):
    run.reconstruct(np.zeros(shape), labels=labels)


@pytest.mark.parametrize(
  ('images', 'hint'),
  [
    (np.zeros((2, 27, 28, 1), np.uint8), r'takes \[..., 28, 28, 1\]; resize'),
    (np.zeros((28, 28, 3), np.uint8), 'resize'),
    (np.full((28, 28), 255.0), r'from 255.0 to 255.0; give uint8'),
    (np.full((28, 28), np.nan), 'from nan'),
    (np.zeros((28, 28), np.int64), 'int64'),
  ],
)
def test_other_images_are_told(run, images, hint):
  with pytest.raises(capsjax.UserError, match=hint):
    run.predict(images)


def test_other_data_are_evaluated(run, test):
  half = test.images[::2], test.labels[::2]
  found = run.evaluate(capsjax.dataset_from_arrays(half, half))
  expected = (run.predict(half[0]) == half[1]).mean()
  assert found.accuracy == pytest.approx(expected)
  small = np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 9])
  with pytest.raises(capsjax.UserError, match=r'images of \(8, 8, 1\)'):
    run.evaluate(capsjax.dataset_from_arrays(small, small))


def test_what_is_not_there_is_told(tmp_path, workdir):
  with pytest.raises(capsjax.UserError, match='holds no run'):
    capsjax.load(tmp_path)
  with pytest.raises(capsjax.UserError, match='must be latest, best, or'):
    capsjax.load(workdir, checkpoint='newest')


def train_on_arrays(workdir, like):
  """Trains twice, with the fields of another run; returns what came of it."""
  test = load_digits().test
  pair = test.images[..., 0], test.labels
  names = tuple('abcdefghij')
  dataset = capsjax.dataset_from_arrays(pair, pair, class_names=names)
  config = dataclasses.replace(capsjax.load(like).config, num_epochs=2)
  trained = capsjax.train(config, workdir, dataset=dataset)
  again = capsjax.train(config, workdir, dataset=dataset)
  accuracy = trained.evaluate(dataset).accuracy
  try:
    trained.evaluate()
  except capsjax.UserError as error:
    return trained.step, again.step, again.class_names, accuracy, str(error)


def test_own_arrays_are_trained_on(tmp_path, workdir):
  """What was trained to its end is only opened."""
  step, again, class_names, accuracy, error = beside(
    train_on_arrays, tmp_path / 'mine', workdir
  )
  assert step == again == 2 * (360 // 32)
  assert class_names[3] == 'd'
  assert accuracy > 0.2
  assert 'was trained on arrays' in error


def test_a_configuration_may_be_a_file_or_a_config_dict(run, tmp_path):
  from ml_collections import ConfigDict

  config = load_config(CONFIG)
  as_dict = ConfigDict(dataclasses.asdict(config))
  for given in (str(CONFIG), as_dict):
    with pytest.raises(capsjax.UserError, match='cannot write into'):
      (tmp_path / 'file').touch()
      capsjax.train(given, tmp_path / 'file' / 'run')
