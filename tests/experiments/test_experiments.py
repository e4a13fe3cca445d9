"""Every experiment compares the right runs, and its smallest size runs."""

import functools
import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

from capsjax.runs import configuration
from capsjax.runs.fields import flatten
from experiments import routing_analysis, runs, suite, tables
from experiments.runs import Place
from tests.running import REPOSITORY, beside, run

# The paper's numbers, typed from it: the columns MNIST and MultiMNIST of
# Table 1, and the error in percent from sections 5.2 and 7.
PAPER = {
  'table1': {
    'baseline': '0.39',
    'routing1': '0.34 ± 0.032',
    'routing1_reconstruction': '0.29 ± 0.011',
    'routing3': '0.35 ± 0.036',
    'routing3_reconstruction': '0.25 ± 0.005',
  },
  'loss_scale': {
    'routing3_reconstruction': '0.25 ± 0.005',
    'official': '0.25 ± 0.005',
  },
  'multi_mnist': {
    'baseline': '8.1',
    'routing1_reconstruction': '7.5',
    'routing3_reconstruction': '5.2',
  },
  'affnist': {
    'capsnet': '0.77; on affNIST 21',
    'cnn': '0.78; on affNIST 34',
  },
  'cifar10': {'capsnet': '10.6 (7 networks)'},
  'fashion_mnist': {},
  'smallnorb': {'capsnet': '2.7'},
  'svhn': {'capsnet': '4.3'},
}
NAMES = list(PAPER)
# Routing iterations of the rows of Table 1, by the first word of their names.
ROUTING = {'routing1': 1, 'routing3': 3}
# Smaller kernels than the paper's, so that they compile sooner.
FAST = (
  '--config.model.conv_kernel_size=(3, 3)',
  '--config.model.primary_kernel_size=(3, 3)',
  '--config.model.primary_strides=(4, 4)',
)
# One of each kind of run; tests/commands trains the CapsNet of MultiMNIST.
SMOKE = {
  'table1, CNN': ('table1', '--only', 'baseline'),
  'table1, CapsNet': ('table1', '--only', 'routing1', *FAST),
  'loss_scale': ('loss_scale', '--only', 'official', *FAST),
  'multi_mnist': ('multi_mnist', '--only', 'baseline'),
  'affnist': ('affnist', '--only', 'cnn'),
  'cifar10': ('cifar10', *FAST),
  'fashion_mnist': ('fashion_mnist', '--only', 'flips_and_shifts', *FAST),
  'smallnorb': ('smallnorb', *FAST),
  'svhn': ('svhn', *FAST),
}


def load(name):
  return importlib.import_module(f'experiments.{name}').COMPARISON


def config_of(row, place):
  path = REPOSITORY / 'configs' / f'{row.config}.py'
  return configuration.load_config(path, place.overrides_of(row, 0))


def place_of(experiment, size):
  return Place(size, experiment.sizes.get(size, ()), Path('runs'), '')


def test_every_experiment_is_tested():
  files = (REPOSITORY / 'experiments').glob('*.py')
  found = {f.stem for f in files if 'COMPARISON = ' in f.read_text()}
  assert found == set(NAMES) == {words[0] for words in SMOKE.values()}


@pytest.mark.parametrize('name', NAMES)
def test_the_numbers_of_the_paper_are_the_papers(name):
  experiment = load(name)
  assert experiment.name == name
  found = {row.name: row.paper for row in experiment.runs if row.paper}
  assert found == PAPER[name]
  # The paper has three trials, and seven networks for CIFAR10.
  assert experiment.num_seeds['full'] == (7 if name == 'cifar10' else 3)


@pytest.mark.parametrize('size', ['smoke', 'cpu', 'full'])
@pytest.mark.parametrize('name', NAMES)
def test_the_runs_of_an_experiment_differ(name, size):
  experiment = load(name)
  rows, place = experiment.runs, place_of(experiment, size)
  assert len({row.name for row in rows}) == len(rows)
  assert len({place.workdir(row, seed=0) for row in rows}) == len(rows)
  fields = [repr(flatten(config_of(row, place))) for row in rows]
  assert len(set(fields)) == len(rows)
  if size == 'smoke':
    # The smoke size needs no download.
    assert all("'dataset': 'digits'" in text for text in fields)
    # What --at-once refuses.
    for choice in ("'train_size': 0", "'stop_at_accuracy': 0.0"):
      assert all(f'{choice},' in text for text in fields)


@pytest.mark.parametrize('name', ['table1', 'multi_mnist'])
def test_rows_of_table_1_are_what_their_names_say(name):
  experiment = load(name)
  place = place_of(experiment, 'full')
  for row in experiment.runs:
    config, words = config_of(row, place), row.name.split('_')
    assert config.num_objects == (1 if name == 'table1' else 2)
    if row.name == 'baseline':
      assert config.model_name == 'baseline'
      continue
    assert config.model_name == 'capsnet'
    assert config.model.routing.num_iterations == ROUTING[words[0]]
    assert config.model.has_decoder == ('reconstruction' in words)


@pytest.mark.parametrize('size', ['cpu', 'full'])
def test_runs_that_share_a_folder_are_the_same(size):
  """One experiment reuses what another one trained."""
  commands = {}
  for name in NAMES:
    experiment = load(name)
    place = place_of(experiment, size)
    for row in experiment.runs:
      folder, command = place.workdir(row, 0), place.command(row, 0)
      assert commands.setdefault(folder, command) == command
  shared = Path('runs') / size / 'mnist' / 'routing3_reconstruction' / 'seed0'
  assert shared in commands


@pytest.mark.parametrize('name', [*NAMES, 'routing_analysis'])
def test_help_is_given_by_the_module_itself(name):
  done = subprocess.run(
    [sys.executable, '-m', f'experiments.{name}', '--help'],
    cwd=REPOSITORY,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert f'python -m experiments.{name}' in done.stdout
  expected = ['A.1', 'A.2'] if name not in NAMES else load(name).runs
  for row in expected:
    assert getattr(row, 'name', row) in done.stdout


@pytest.mark.parametrize('case', SMOKE)
def test_the_smoke_size_runs(case, tmp_path):
  name, *words = SMOKE[case]
  experiment = load(name)
  main = functools.partial(suite.main, experiment)
  done = beside(run, main, '--size=smoke', '--runs-dir', tmp_path, *words)
  assert done.status == 0, done.err
  assert 'the smoke size works' in done.out
  only = words[1] if '--only' in words else experiment.runs[0].name
  records = json.loads((tmp_path / f'{name}.json').read_text())
  seeds = list(range(experiment.num_seeds['smoke']))
  expected = [(only, seed) for seed in seeds]
  if name == 'cifar10':
    expected.append((f'2 networks of {only}', 0))
  assert [(r['run'], r['seed']) for r in records] == expected
  for record in records:
    assert record['size'] == 'smoke' and record['epochs'] == 1
    assert record['minutes'] < 5 and 'jax' in record['versions']
    assert 0 <= list(record['test_error_percent'].values())[-1] <= 100


def test_the_tables_are_those_of_the_results():
  text = (REPOSITORY / 'experiments' / 'README.md').read_text(encoding='utf-8')
  assert tables.with_tables(text) == text
  assert set(tables.NAMES) == set(NAMES)


def analysed(*words):
  """Runs the routing analysis with FAST, which its command cannot set."""
  with mock.patch.object(runs, '_SMOKE', (*runs._SMOKE, *FAST)):
    return run(routing_analysis.main, *words)


def test_the_analysis_of_routing_runs_and_keeps_its_numbers(tmp_path):
  words = ('--size=smoke', '--runs-dir', tmp_path / 'runs', '--out', tmp_path)
  done = beside(analysed, *words)
  assert done.status == 0, done.err
  changes = json.loads((tmp_path / 'routing_change.json').read_text())
  assert {c: list(run['changes']) for c, run in changes.items()} == {
    '2': ['1', '2'],
    '3': ['1', '2'],
  }
  for count, of_run in changes.items():
    assert f'num_iterations={count}' in of_run['command']
    assert of_run['epochs'] == 2 and of_run['minutes'] < 5
    by_epoch = of_run['changes']
    for means in by_epoch.values():
      assert len(means) == int(count)
      assert all(0 < mean < 1 for mean in means)
    assert by_epoch['1'] != by_epoch['2'], 'each epoch is trained'
  losses = json.loads((tmp_path / 'routing_loss.json').read_text())
  assert list(losses) == ['1', '3']
  for found in losses.values():
    assert found['epoch'] == sorted(found['epoch']) and found['epoch'][-1] == 1
    assert all(math.isfinite(loss) for loss in found['training_loss'])
  assert losses['1']['training_loss'] != losses['3']['training_loss']
  for figure in ('routing_change', 'routing_loss'):
    with Image.open(tmp_path / f'{figure}.png') as picture:
      assert min(picture.size) > 200

  # Repeating the command trains nothing and writes the same numbers.
  before = (tmp_path / 'routing_change.json').read_bytes()
  again = beside(analysed, *words, '--figures', 'A.1')
  assert again.status == 0
  assert not re.search(
    'from the beginning|continued after|test error', again.out
  )
  assert (tmp_path / 'routing_change.json').read_bytes() == before


def test_a_mistake_in_the_analysis_is_told_in_one_line(tmp_path):
  words = ('--size=cpu', '--runs-dir', tmp_path, '--data-dir=/nowhere')
  refusal = beside(analysed, *words).refusal
  assert refusal.startswith('routing_analysis: error: ')
  assert '/nowhere' in refusal
