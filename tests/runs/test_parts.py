"""Class weights, and checks of fields that depend on each other."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.data import Dataset, Split
from capsjax.errors import UserError
from capsjax.examples import Batch
from capsjax.models import ModelOutput
from capsjax.runs import configuration
from capsjax.runs.parts import create_objective
from capsjax.runs.reading import read_dataset
from tests.conftest import REPOSITORY

LABELS = np.repeat(np.arange(3, dtype=np.int32), [12, 3, 1])


def make_dataset(labels):
  split = Split(np.zeros((len(labels), 4, 4, 1), np.uint8), labels)
  return Dataset('toy', split, split, None, 3, ('ant', 'bee', 'cat'))


def objective_of(name, weights, labels=LABELS):
  path = REPOSITORY / 'configs' / f'{name}.py'
  override = f'--config.loss.class_weights={weights}'
  config = configuration.load_config(path, [override])
  return create_objective(config, make_dataset(labels))


def mean_loss(objective, scores, labels):
  batch = Batch(
    jnp.zeros((len(labels), 4, 4, 1)),
    jnp.asarray(np.eye(3)[labels], jnp.float32),
    jnp.ones(len(labels)),
  )
  total = objective(ModelOutput(jnp.asarray(scores, jnp.float32)), batch).total
  return float(jnp.mean(total))


NETWORKS = ['mnist', 'mnist_baseline', 'multi_mnist_baseline']


@pytest.mark.parametrize('name', NETWORKS)
def test_balanced_weights_are_as_good_as_copies(name):
  """Each class has as much weight as if its images were copied to 12."""
  scores = np.random.default_rng(0).random((len(LABELS), 3))
  copies = np.repeat(np.arange(len(LABELS)), np.repeat([1, 4, 12], [12, 3, 1]))
  assert np.bincount(LABELS[copies]).tolist() == [12, 12, 12]
  plain, balanced = objective_of(name, '()'), objective_of(name, 'balanced')
  expected = mean_loss(plain, scores[copies], LABELS[copies])
  assert mean_loss(balanced, scores, LABELS) == pytest.approx(expected)
  assert mean_loss(plain, scores, LABELS) != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize('name', NETWORKS)
def test_weights_are_given_in_the_order_of_the_classes(name):
  scores = np.random.default_rng(1).random((len(LABELS), 3))
  weighted = objective_of(name, '(1, 0, 2.5)')
  plain = objective_of(name, '()')
  parts = [
    weight * mean_loss(plain, rows, np.full(len(rows), k)) * len(rows)
    for k, (weight, rows) in enumerate(
      zip((1, 0, 2.5), np.split(scores, [12, 15]), strict=True)
    )
  ]
  expected = sum(parts) / len(LABELS)
  assert mean_loss(weighted, scores, LABELS) == pytest.approx(expected)


def test_a_class_without_training_images_does_not_matter():
  labels = np.repeat(np.arange(2, dtype=np.int32), [3, 1])
  scores = np.random.default_rng(2).random((4, 3))
  loss = mean_loss(objective_of('mnist', 'balanced', labels), scores, labels)
  assert np.isfinite(loss) and loss > 0


def test_each_class_needs_a_weight():
  with pytest.raises(UserError, match='2 numbers, but toy has 3 classes: ant'):
    objective_of('mnist', '(1, 2)')


@pytest.mark.parametrize(
  'weights', ['(1, -2, 1)', '(0, 0)', 'equal', '(1, "a")', '3', '(1, 1e999)']
)
def test_weights_that_are_none(weights):
  with pytest.raises(UserError, match=r'class_weights=.* must be'):
    objective_of('mnist', weights)


def test_a_baseline_of_an_older_run_has_no_weights():
  path = REPOSITORY / 'configs' / 'mnist_baseline.py'
  config = configuration.load_config(path)
  values = dataclasses.asdict(config) | {'loss': None}
  assert configuration.from_dict(values, is_older=True) == config


@pytest.mark.parametrize(
  ('overrides', 'trouble'),
  [
    (['images.standardize=True'], 'the decoder draws'),
    (['num_objects=2', 'stream_images=True'], 'pairs need the whole data set'),
    (
      ['num_objects=2', 'images.standardize=True', 'model.has_decoder=False'],
      'overlaid images cannot be standardised',
    ),
    (['images.background=9'], 'are for dataset=folder, not mnist'),
    (['images.size=(20, 30)'], 'are for dataset=folder, not mnist'),
  ],
)
def test_mistakes_are_told_before_a_download(
  monkeypatch, tmp_path, overrides, trouble
):
  def refuse(*args, **options):
    raise AssertionError('a download began')

  monkeypatch.setattr('capsjax.data.formats.download.fetch', refuse)
  words = [f'--config.{field}' for field in overrides]
  words.append(f'--config.data_dir={tmp_path}')
  config = configuration.load_config(REPOSITORY / 'configs/mnist.py', words)
  with pytest.raises(UserError, match=trouble):
    read_dataset(config)
