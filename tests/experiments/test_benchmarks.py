"""The contenders compute the same results, and the suite runs end to end."""

import dataclasses
import importlib.util
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.benchmarks import (
  __main__,
  naive,
  ours,
  routing,
  steps,
  timing,
  work,
)
from experiments.benchmarks.case import Case
from tests.ops.precision import relative_error

SIZES = {'conv_features': 8, 'num_types': 2, 'decoder_sizes': (8, 12)}
CASE = Case('', batch=6, sizes=SIZES, image_shape=(24, 22, 1), num_classes=4)

needs_torch = pytest.mark.skipif(
  importlib.util.find_spec('torch') is None,
  reason="PyTorch is not installed; pip install 'capsjax[bench]'",
)
WITH_TORCH = [False, pytest.param(True, marks=needs_torch)]


@pytest.fixture(autouse=True)
def promotion():
  """Uses the default promotion, because users run these programs with it."""
  with (
    jax.numpy_dtype_promotion('standard'),
    jax.numpy_rank_promotion('allow'),
  ):
    yield


@pytest.fixture(autouse=True)
def in_the_checkout(repository, monkeypatch):
  monkeypatch.chdir(repository)


def losses(step, count=4):
  """Losses of successive steps, so gradients and optimizer must agree too."""
  return np.array([float(step()) for _ in range(count)])


def test_plain_jax_trains_as_ours_does():
  # Each batch is the whole set, so that the order does not matter.
  overrides = [
    *steps.overrides(dataclasses.replace(CASE, num_devices=1)),
    *(
      '--config.augmentation.max_shift=0',
      '--config.optimizer.schedule=constant',
    ),
  ]
  experiment = ours.create_experiment(
    overrides,
    num_images=CASE.batch,
    image_shape=CASE.image_shape,
    num_classes=CASE.num_classes,
  )
  step = ours.TrainStep(experiment)

  def our_step():
    metrics = step()
    return metrics.loss / metrics.count

  train = experiment.dataset.train
  images = train.images.astype(np.float32) / 255
  targets = np.eye(CASE.num_classes, dtype=np.float32)[train.labels]
  plain_step = steps.naive_step_on(CASE, images, targets)
  np.testing.assert_allclose(losses(our_step), losses(plain_step), rtol=1e-5)


@needs_torch
@pytest.mark.filterwarnings('ignore')  # PyTorch's own warnings
@pytest.mark.parametrize('compiled', [False, True])
def test_pytorch_trains_as_plain_jax_does(compiled):
  found = losses(steps.torch_step(CASE, compiled=compiled))
  np.testing.assert_allclose(found, losses(steps.naive_step(CASE)), rtol=1e-5)


@needs_torch
def test_pytorch_reads_every_image_once_and_shifts_it():
  from experiments.benchmarks import torch_peer

  images = np.random.default_rng(0).integers(1, 256, (6, 5, 4, 1), np.uint8)
  loader = torch_peer.create_loader(
    images, np.arange(6), batch_size=3, workers=1
  )
  found = {
    int(label): np.round(255 * image.numpy()[0])
    for batch, labels in loader
    for image, label in zip(batch, labels, strict=True)
  }
  assert sorted(found) == list(range(6))
  padded = np.pad(images[..., 0], ((0, 0), (2, 2), (2, 2)))
  crops = [padded[:, y : y + 5, x : x + 4] for y in range(5) for x in range(5)]
  for label, image in found.items():
    assert any((crop[label] == image).all() for crop in crops)


@pytest.mark.parametrize('with_torch', WITH_TORCH)
@pytest.mark.parametrize('backward', [False, True])
def test_every_routing_gives_the_same(backward, with_torch):
  calls = routing.calls(
    batch=3, in_caps=7, out_caps=4, backward=backward, with_torch=with_torch
  )
  assert len(calls) == 2 + with_torch
  results = {name: jax.tree.leaves(call()) for name, call in calls.items()}
  for name, arrays in results.items():
    assert len(arrays) == (3 if backward else 1)
    for array, expected in zip(arrays, results['plain JAX'], strict=True):
      if hasattr(array, 'detach'):
        array = array.detach().numpy()
      assert relative_error(np.asarray(array), np.asarray(expected)) < 1e-5, (
        name
      )


def test_the_arithmetic_is_what_xla_counts():
  def step(inputs, kernel):
    votes = jnp.einsum('bid,ijde->bije', inputs, kernel)
    return naive.dynamic_routing(votes)

  sizes = {'batch': 4, 'in_caps': 30, 'out_caps': 5}
  shapes = ((4, 30, 8), (30, 5, 8, 16))
  arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
  counted = jax.jit(step).lower(*arrays).compile().cost_analysis()['flops']
  least = work.routing(**sizes, num_iterations=3, backward=False).operations
  # Our count leaves out the softmax and the squash.
  assert 0.8 * counted < least < counted


def test_help_names_every_contender():
  assert list(steps.CONTENDERS) == list(__main__._CONTENDERS)


def test_spread_and_ratio():
  assert timing.spread([3, 1, 2, 5, 4]) == {'low': 2, 'median': 3, 'high': 4}
  assert timing.ratio([1, 2, 4], [3, 6, 12])['median'] == 3
  assert timing.ratio([1, 2, 4], [8])['median'] == 4, 'timed once'


def test_turns_and_patience():
  calls = []
  seconds = timing.take_turns(
    {name: lambda name=name: calls.append(name) for name in 'ab'}, repeats=3
  )
  assert calls == [*'aabb'] * 4, 'to compile and to warm up, then in turns'
  assert {name: len(times) for name, times in seconds.items()} == {
    'a': 3,
    'b': 3,
  }
  once = timing.take_turns({'a': lambda: None}, repeats=3, patience=0)
  assert len(once['a']) == 1


def test_the_suite_runs(repository, tmp_path):
  path = tmp_path / 'figures.json'
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'experiments.benchmarks', '--tiny'),
      *(
        '--contenders',
        'plain JAX',
        '--dtypes',
        'float32',
        '--repeats',
        '2',
        '--batch-sizes',
        '4',
      ),
      *('--json', str(path)),
    ],
    cwd=repository,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  figures = json.loads(path.read_text())
  parts = ['training', 'epoch', 'evaluation', 'routing', 'memory', 'scaling']
  parts += ['programs']
  assert list(figures) == ['machine', 'limits', *parts]
  for part in parts:
    assert f'\n{part}\n\n| ' in done.stdout
    assert figures[part]
  rows = {row['variant']: row for row in figures['scaling']}
  for devices in ('2 devices', '4 devices'):
    assert rows[devices]['loss'] == pytest.approx(rows['the paper']['loss'])
