"""Seeds trained at once give the same results as seeds trained alone."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from capsjax.errors import UserError
from capsjax.runs import configuration
from capsjax.runs.checkpoint import Checkpointer
from capsjax.runs.experiment import Experiment
from capsjax.runs.restoring import available_steps, restore
from experiments import seeds_at_once
from experiments.runs import TINY_BASELINE, Place, Run, train_run
from experiments.seeds_at_once import train_at_once
from tests.running import TINY_NETWORK

SEEDS = (3, 5)
STEPS_PER_EPOCH = 3
CAPSNET = Run(
  'capsnet',
  'digits',
  (
    *TINY_NETWORK,
    '--config.images.crop_size=20',
  ),
)
# With dropout of half of its hidden values.
BASELINE = Run(
  'baseline', 'mnist_baseline', (*TINY_BASELINE, '--config.dataset=digits')
)


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


@pytest.fixture
def place_of(tmp_path):
  """Creates a separate place for each name; an epoch has three steps."""

  def create(name, *overrides):
    fields = ('batch_size=360', 'num_devices=1', 'log_every_steps=1')
    fields += ('num_epochs=1', *overrides)
    words = tuple(f'--config.{field}' for field in fields)
    return Place('cpu', words, tmp_path / name, '')

  return create


def state_of(run, seed, place, which='latest'):
  folder = place.workdir(run, seed)
  config = configuration.load_config(folder / 'config.json')
  template = Experiment.create(config).state_template()
  return restore(
    folder / 'checkpoints', template, which=which, warn=pytest.fail
  )


def lines_of(run, seed, place):
  """The metrics that a run wrote, except the times, which always differ."""
  text = (place.workdir(run, seed) / 'metrics.jsonl').read_text()
  return [
    {name: x for name, x in json.loads(line).items() if 'second' not in name}
    for line in text.splitlines()
  ]


def assert_same(run, seed, at_once, alone):
  """Checks the folder of a run against that of the same run trained alone."""
  found, expected = (state_of(run, seed, p) for p in (at_once, alone))
  assert found.step == expected.step
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    found.state,
    expected.state,
  )
  found, expected = (lines_of(run, seed, p) for p in (at_once, alone))
  assert len(found) == len(expected)
  for line, expected_line in zip(found, expected, strict=True):
    # If two scores of an image tie, rounding decides whether it is correct.
    accuracies = {name for name in line if name.endswith('/accuracy')}
    for name in accuracies:
      assert line[name] == pytest.approx(expected_line[name], abs=1.01 / 360)
    others = line.keys() - accuracies
    assert {name: line[name] for name in others} == pytest.approx(
      {name: expected_line[name] for name in others}, rel=1e-4
    )
    assert line.keys() == expected_line.keys()
  assert any('test/accuracy' in line for line in found)


@pytest.mark.parametrize(
  ('run', 'steps_per_call'), [(CAPSNET, 1), (BASELINE, 2)]
)
def test_each_seed_is_trained_as_alone(place_of, run, steps_per_call):
  field = f'steps_per_call={steps_per_call}'
  at_once, alone = place_of('at_once', field), place_of('alone', field)
  records = train_at_once(run, SEEDS, at_once)
  # The second seed: the first has no earlier seed to be confused with.
  seed = SEEDS[1]
  record = train_run(run, seed, alone)
  assert_same(run, seed, at_once, alone)
  assert [r.seed for r in records] == list(SEEDS)
  for name in ('run', 'size', 'seed', 'command', 'epochs', 'other_tests'):
    assert getattr(records[1], name) == getattr(record, name)
  assert records[1].test_error_percent == pytest.approx(
    record.test_error_percent
  )
  files = [
    {path.name for path in place.workdir(run, seed).glob('[!e.]*')}
    for place in (at_once, alone)
  ]
  assert files[0] == files[1]
  configs = [
    (place.workdir(run, seed) / 'config.json').read_text()
    for place in (at_once, alone)
  ]
  assert configs[0] == configs[1]


def test_a_run_is_begun_in_one_way_and_continued_in_the_other(place_of):
  whole = place_of('whole', 'num_epochs=2')
  mixed = place_of('mixed'), place_of('mixed', 'num_epochs=2')
  train_run(BASELINE, SEEDS[0], whole)

  train_at_once(BASELINE, SEEDS, mixed[0])
  train_run(BASELINE, SEEDS[0], mixed[1])
  assert_same(BASELINE, SEEDS[0], mixed[1], whole)
  with pytest.raises(UserError, match='seed 3 at 6, seed 5 at 3.*without'):
    train_at_once(BASELINE, SEEDS, mixed[1])
  # A longer run is not a result of the shorter one.
  with pytest.raises(UserError, match='trained for 2 epochs, not 1'):
    train_at_once(BASELINE, SEEDS, mixed[0])

  other = place_of('other'), place_of('other', 'num_epochs=2')
  for seed in SEEDS:
    train_run(BASELINE, seed, other[0])
  train_at_once(BASELINE, SEEDS, other[1])
  assert_same(BASELINE, SEEDS[0], other[1], whole)


def test_an_interruption_saves_all_seeds(place_of, monkeypatch):
  class Stop(seeds_at_once.StopRequest):
    """Requests a stop after the first step."""

    answers = iter([False, True])

    def __bool__(self):
      return next(self.answers)

  place, whole = place_of('place'), place_of('whole')
  with monkeypatch.context() as patch:
    patch.setattr(seeds_at_once, 'StopRequest', Stop)
    assert train_at_once(BASELINE, SEEDS, place) is None
  for seed in SEEDS:
    folder = place.workdir(BASELINE, seed) / 'checkpoints'
    assert available_steps(folder)['latest'] == [1]
  assert len(train_at_once(BASELINE, SEEDS, place)) == 2
  train_run(BASELINE, SEEDS[1], whole)
  found, expected = (
    state_of(BASELINE, SEEDS[1], p).state.params for p in (place, whole)
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
    found,
    expected,
  )


def test_each_seed_has_its_own_best(place_of):
  place = place_of(
    'place',
    'select_best_by=test',
    'eval_every_epochs=0.34',
    'num_epochs=2',
    'optimizer.learning_rate=0.01',
  )
  train_at_once(BASELINE, SEEDS, place)
  best_steps = []
  for seed in SEEDS:
    accuracies = {
      line['step']: line['test/accuracy']
      for line in lines_of(BASELINE, seed, place)
      if 'test/accuracy' in line
    }
    assert list(accuracies) == [1, 2, 3, 4, 5, 6]
    best = state_of(BASELINE, seed, place, 'best')
    # Among equal ones, max takes the first.
    assert best.step == max(accuracies, key=accuracies.get)
    assert best.metric == accuracies[best.step]
    assert best.state.step == best.step
    best_steps.append(best.step)
  assert len(set(best_steps)) > 1, 'seeds that tell nothing: choose others'


def test_a_loss_that_is_not_finite_names_its_seed(place_of):
  train_at_once(BASELINE, SEEDS, place_of('place'))
  damaged = state_of(BASELINE, SEEDS[1], place_of('place'))
  workdir = place_of('place').workdir(BASELINE, SEEDS[1])
  with Checkpointer(workdir / 'checkpoints') as checkpointer:
    state = damaged.state.replace(
      params=jax.tree.map(
        lambda x: np.full_like(x, np.nan), damaged.state.params
      )
    )
    checkpointer.save_latest(damaged.step, state)
  with pytest.raises(UserError, match='^seed 5: the loss is not finite'):
    train_at_once(BASELINE, SEEDS, place_of('place', 'num_epochs=2'))


@pytest.mark.parametrize(
  'fields',
  [
    ('train_size=720',),
    ('validation_size=360',),
    ('stop_at_accuracy=0.5', 'select_best_by=test'),
  ],
)
def test_seeds_that_would_differ_in_more_are_refused(place_of, fields):
  place = place_of('place', *fields)
  with pytest.raises(UserError, match=f'{fields[0]}.*without --at-once'):
    train_at_once(BASELINE, SEEDS, place)
  assert not place.folder.exists()


def test_a_start_from_another_run_is_refused(place_of):
  with pytest.raises(UserError, match='leave out --at-once or init_from'):
    train_at_once(BASELINE, SEEDS, place_of('place', 'init_from=runs/other'))


def test_a_test_drawn_from_a_folder_is_refused(place_of, tmp_path):
  for split in ('', 'train', 'test'):
    for name in 'ab':
      folder = tmp_path / ('split' if split else 'drawn') / split / name
      folder.mkdir(parents=True)
      for i in range(2):
        Image.new('L', (28, 28), i).save(folder / f'{i}.png')

  def refuse(folder):
    fields = ('dataset=folder', f'data_dir={tmp_path / folder}')
    train_at_once(BASELINE, SEEDS, place_of('place', *fields, 'batch_size=2'))

  with pytest.raises(UserError, match='each seed draws its own'):
    refuse('drawn')
  refuse('split')
