"""Records, tables, and the command line that all experiments share."""

import dataclasses
import functools
import json
import shlex
import signal
import statistics
from unittest import mock

import pytest

from capsjax.errors import UserError
from capsjax.runs import configuration
from capsjax.training import Progress
from experiments import suite
from experiments.comparison import Comparison, render
from experiments.records import Record, Records, mean_and_deviation
from experiments.runs import Place, Run, config_of, is_trained
from tests.running import REPOSITORY, TINY_NETWORK, beside, run

RECORD = Record(
  run='tiny',
  size='cpu',
  seed=0,
  command='python -m capsjax.main',
  epochs=2.0,
  test_error_percent={'1': 9.0, '2': 4.5},
  other_tests={},
  minutes=1.5,
  hardware='x86, 2 cores',
  device='cpu, cpu',
  versions='python 3.13, jax 0.12',
)
TINY = (
  '--config.batch_size=64',
  '--config.train_size=192',
  '--config.augmentation.max_shift=0',
  *TINY_NETWORK,
)
COMPARISON = Comparison(
  name='example',
  title='Two small networks',
  runs=(
    Run('tiny', 'digits', TINY, group='digits', paper='0.25 ± 0.005'),
    Run('large', 'digits', TINY, group='digits', is_small=False),
  ),
  sizes={'cpu': ('--config.num_epochs=2',)},
  num_seeds={'smoke': 1, 'cpu': 1, 'full': 3},
)


def record(seed=0, **changes):
  command = f'{RECORD.command} --config.seed={seed}'
  return dataclasses.replace(
    RECORD, **{'command': command, **changes}, seed=seed
  )


@pytest.fixture
def command(tmp_path):
  """Runs the example's command, which writes everything to one folder."""
  main = functools.partial(suite.main, COMPARISON)
  return functools.partial(run, main, '--runs-dir', tmp_path)


@pytest.fixture
def no_training(monkeypatch):
  def train(*_):
    raise AssertionError('nothing was to be trained')

  monkeypatch.setattr(suite, 'train_run', train)


def cells(table):
  """The rows of a Markdown table, each as a dictionary by header."""
  lines = [line for line in table.splitlines() if line.startswith('|')]
  head, rule, *rows = (
    [cell.strip() for cell in line.strip('|').split('|')] for line in lines
  )
  assert set(rule) == {'---'}
  return [dict(zip(head, row, strict=True)) for row in rows]


def test_records_are_found_again_by_run_and_size_in_order_of_seeds(tmp_path):
  path = tmp_path / 'results' / 'example.json'
  records = Records(path)
  assert not records.find('tiny', 'cpu')
  assert not path.parent.exists(), 'what is only read is not made'
  others = [record(size='full'), record(run='large', other_tests={'a': 1.5})]
  for added in (record(seed=2), *others, record(seed=0), record(seed=1)):
    records.add(added)
  for found in (records, Records(path)):
    assert found.find('tiny', 'cpu') == [record(seed=s) for s in range(3)]
    assert found.find('tiny', 'full') == others[:1]
    assert found.find('large', 'cpu') == others[1:]
    assert not found.find('large', 'full')
  assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_record_takes_the_place_of_one_of_the_same_command_alone(tmp_path):
  records = Records(tmp_path / 'example.json')
  commands = ('a --config.seed=0', 'a --config.seed=1', 'a --config.b=2')
  for minutes in (1.0, 2.0):
    for command, seed in zip(commands, (0, 1, 0), strict=True):
      records.add(record(command=command, seed=seed, minutes=minutes))
  found = Records(tmp_path / 'example.json').find('tiny', 'cpu')
  assert {r.command: r.minutes for r in found} == dict.fromkeys(commands, 2.0)
  assert len(found) == 3


@pytest.mark.parametrize(
  'content',
  [b'', b'[{"run": "ti', b'\xff\xfe\x00', b'3', b'["a"]', b'[{"run": "a"}]'],
)
def test_a_damaged_file_of_results_is_named_and_kept(
  command, tmp_path, content
):
  path = tmp_path / 'example.json'
  path.write_bytes(content)
  with pytest.raises(UserError):
    Records(path)
  refusal = command('--table').refusal
  assert str(path) in refusal and '--results' in refusal
  assert path.read_bytes() == content


@pytest.mark.parametrize(
  'errors', [[0.254, 0.246], [1.0, 2.0, 4.5], [7.5] * 3, [0.3, 9.0, 1.1, 52.0]]
)
def test_mean_and_deviation_are_those_of_the_standard_library(errors):
  mean, deviation = statistics.mean(errors), statistics.stdev(errors)
  assert mean_and_deviation(errors) == f'{mean:.2f} ± {deviation:.3f}'


def test_no_deviation_of_one_number_and_nothing_of_none():
  assert mean_and_deviation([12.345]) == f'{12.345:.2f}'
  assert mean_and_deviation([]) == ''


def test_a_table_of_all_that_was_run(tmp_path):
  runs = (
    Run('both', 'mnist', paper='0.25 ± 0.005', published='0.2 (someone)'),
    Run('small', 'mnist', other_tests=('affnist', 'affine')),
    Run('never', 'mnist', paper='8.1'),
  )
  records = Records(tmp_path / 'results.json')
  error, other = {'1': 9.0, '2': 1.0}, {'affine': 20.0}
  records.add(record(run='both', size='full', seed=1, minutes=30.0))
  records.add(record(run='both', size='full', test_error_percent=error))
  records.add(record(run='both', size='smoke', test_error_percent={'1': 77.0}))
  records.add(record(run='both', test_error_percent={'2': 3.0}))
  records.add(record(run='small', other_tests=other, epochs=0.5))
  text = render(dataclasses.replace(COMPARISON, runs=runs), records)
  empty = dict.fromkeys(
    [
      *('run', 'paper', 'best published', 'size', 'ours', 'ours on affine'),
      *('ours on affnist', 'by seed', 'epochs', 'minutes'),
    ],
    '',
  )
  both = empty | {
    'run': 'both',
    'paper': '0.25 ± 0.005',
    'best published': '0.2 (someone)',
    'epochs': '2',
  }
  assert cells(text) == [
    both
    | {
      'size': 'full',
      # The deviation of 1 and 4.5 is 3.5 over the square root of 2.
      'ours': '2.75 ± 2.475',
      'by seed': '0: 1.00, 1: 4.50',
      'minutes': '1.5, 30',
    },
    both
    | {'size': 'cpu', 'ours': '3.00', 'by seed': '0: 3.00', 'minutes': '1.5'},
    empty
    | {
      'run': 'small',
      'size': 'cpu',
      'ours': '4.50',
      'ours on affine': '20.00',
      'by seed': '0: 4.50',
      'epochs': '0.5',
      'minutes': '1.5',
    },
    empty | {'run': 'never', 'paper': '8.1'},
  ]


def test_runs_of_other_fields_are_rows_of_their_own(tmp_path):
  """A mean over networks of 1 and of 3 epochs would be meaningless."""
  records = Records(tmp_path / 'results.json')
  place = Place('cpu', COMPARISON.sizes['cpu'], tmp_path, '')
  longer = Place(
    'cpu', (*place.overrides, '--config.num_epochs=3'), tmp_path, ''
  )
  tiny = COMPARISON.runs[0]
  # Setting a field to its usual value does not make a separate row.
  same = dataclasses.replace(place, overrides=2 * place.overrides)
  for seed, of, error in ((0, longer, 1.0), (1, place, 3.0), (2, same, 4.0)):
    command = of.command(tiny, seed)
    records.add(
      record(seed=seed, command=command, test_error_percent={'1': error})
    )
  rows = cells(render(COMPARISON, records))
  found = {row['size']: row['by seed'] for row in rows if row['run'] == 'tiny'}
  assert found == {
    'cpu': '1: 3.00, 2: 4.00',
    'cpu, num_epochs=3': '0: 1.00',
  }
  (mean,) = (row['ours'] for row in rows if row['size'] == 'cpu')
  assert mean.startswith('3.50 ')


def test_each_machine_is_named_once(tmp_path):
  records = Records(tmp_path / 'results.json')
  records.add(record())
  records.add(record(seed=1))
  records.add(record(size='full', device='gpu, H100'))
  text = render(COMPARISON, records)
  for device in ('cpu, cpu', 'gpu, H100'):
    line = f'On x86, 2 cores ({device}), python 3.13, jax 0.12.'
    assert text.count(line) == 1


def test_help_names_runs_sizes_and_seeds(command, no_training):
  done = command('--help')
  assert done.status == 0
  for words in (
    *('python -m experiments.example', 'Two small networks', '--data-dir'),
    *('runs: tiny, large', '3 in full', '--config.FIELD=VALUE', 'laptop'),
  ):
    assert words in done.out


@pytest.mark.parametrize(
  ('words', 'hint'),
  [
    (['--only', 'tiny', 'larg'], 'no run larg; did you mean large?'),
    (['--config.batchsize=3'], 'did you mean batch_size'),
    (['--config.batch_size=many'], 'batch_size'),
    (['--noconfig.model.leaki'], 'did you mean model.routing.leaky'),
    (['--config.batch_size=0'], 'at least 1'),
    (['--config.dataset=mnist', '--data-dir=/nowhere'], '/nowhere'),
    (['--table', '--only', 'larg'], 'no run larg'),
  ],
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_recorded(
  command, tmp_path, words, hint
):
  refusal = command(*words).refusal
  assert refusal.startswith('example: error: ') and hint in refusal
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
  'words',
  [
    *(['--seeds', '0'], ['--seeds', '-1'], ['--size=huge'], ['--nothing']),
    ['--config.batch_size', '3'],
  ],
)
def test_senseless_options_are_refused(command, tmp_path, words):
  done = command(*words)
  assert done.status == 2
  assert words[0].split('=')[0] in done.err.splitlines()[-1]
  assert not list(tmp_path.iterdir())


def test_a_table_is_printed_without_training(command, no_training, tmp_path):
  path = tmp_path / 'results.json'
  Records(path).add(record())
  done = command('--table', '--results', path)
  assert done.status == 0, done.err
  assert 'Two small networks' in done.out and str(path) in done.out
  assert [row['ours'] for row in cells(done.out)] == ['4.50', '']
  assert [p.name for p in tmp_path.iterdir()] == ['results.json']


def trains_first(monkeypatch, missing=()):
  """Replaces training; returns a list of the trained runs.

  The runs in `missing` count as interrupted.
  """
  trained = []

  def train_run(run, seed, place):
    trained.append((run.name, seed))
    if (run.name, seed) in missing:
      return None
    changes = {'size': place.size, 'seed': seed}
    return record(run=run.name, command=place.command(run, seed), **changes)

  monkeypatch.setattr(suite, 'train_run', train_run)
  return trained


def test_one_seed_of_all_runs_after_another(command, monkeypatch):
  trained = trains_first(monkeypatch)
  assert command('--size=full', '--seeds=2').status == 0
  both = [('tiny', 0), ('large', 0), ('tiny', 1), ('large', 1)]
  assert trained == both
  # Existing seeds are kept; by default, the size has three seeds.
  assert command('--size=full').status == 0
  assert trained[4:] == [('tiny', 2), ('large', 2)]


def test_what_takes_hours_is_left_out_on_a_cpu_but_for_who_asks(
  command, monkeypatch
):
  trained = trains_first(monkeypatch)
  done = command()
  assert trained == [('tiny', 0)]
  assert 'left out' in done.out and 'large' in done.out
  done = command('--only', 'large')
  assert trained == [('tiny', 0), ('large', 0)]
  assert 'left out' not in done.out


def test_a_stop_ends_the_command_and_the_next_one_goes_on(command, monkeypatch):
  trained = trains_first(monkeypatch, missing=[('large', 0)])
  done = command('--size=full', '--seeds=2')
  assert done.status == 0 and 'the same command resumes' in done.out
  assert trained == [('tiny', 0), ('large', 0)]
  trained = trains_first(monkeypatch)
  assert command('--size=full', '--seeds=2').status == 0
  assert trained == [('large', 0), ('tiny', 1), ('large', 1)]


def test_other_fields_are_another_run(command, monkeypatch):
  trained = trains_first(monkeypatch)
  for words in ((), ('--config.batch_size=32',), ('--config.batch_size=32',)):
    assert command(*words).status == 0
  assert trained == [('tiny', 0)] * 2


def test_a_run_that_was_not_saved_at_its_end_is_not_done(tmp_path):
  """A kill can fall between the last metrics line and the last checkpoint."""
  place = Place('cpu', COMPARISON.sizes['cpu'], tmp_path, '')
  config = config_of(COMPARISON.runs[0], 0, place)
  workdir = tmp_path / 'run'
  assert not is_trained(workdir, config)
  checkpoint = workdir / 'checkpoints' / 'latest' / '44'
  checkpoint.mkdir(parents=True)
  line = {'step': 44, 'epoch': 2.0, 'test/accuracy': 0.9}
  (workdir / 'metrics.jsonl').write_text(json.dumps(line) + '\n')
  assert is_trained(workdir, config)
  checkpoint.rename(checkpoint.with_name('22'))
  assert not is_trained(workdir, config)
  shorter = dataclasses.replace(config, num_epochs=1)
  with pytest.raises(UserError, match=r'2 epochs, not 1; .* --runs-dir'):
    is_trained(workdir, shorter)


def interrupted(main, *words):
  """Runs a command that receives Ctrl-C after its first step."""

  def interrupt(progress, step, metrics):
    del progress, metrics
    if step == 1:
      signal.raise_signal(signal.SIGINT)

  with mock.patch.object(Progress, 'update', interrupt):
    return run(main, *words)


def test_an_interrupted_run_goes_on_and_is_recorded_once(no_training, tmp_path):
  main = functools.partial(suite.main, COMPARISON)
  words = ('--runs-dir', tmp_path, '--config.optimizer.decay_rate=0.5')
  done = beside(interrupted, main, *words)
  assert done.status == 0, done.err
  assert 'the same command resumes' in done.out and '|' not in done.out
  path = tmp_path / 'example.json'
  assert not path.exists()

  done = beside(run, main, *words)
  assert done.status == 0, done.err
  assert 'continued after step' in done.out
  (found,) = Records(path).find('tiny', 'cpu')
  assert found.epochs == 2 and list(found.test_error_percent) == ['1', '2']
  assert 0 < found.error <= 100
  (row, _) = cells(done.out)
  assert row['ours'] == f'{found.error:.2f}' and row['paper'] == '0.25 ± 0.005'

  # The recorded command trains the same run.
  workdir = tmp_path / 'cpu' / 'digits' / 'tiny' / 'seed0'
  trained = configuration.load_config(workdir / 'config.json')
  *program, path_of_config = shlex.split(found.command)[:5]
  assert program == ['python', '-m', 'capsjax.main', '--config']
  overrides = shlex.split(found.command)[5:]
  again = configuration.load_config(REPOSITORY / path_of_config, overrides)
  assert again == trained
  assert trained.optimizer.decay_rate == 0.5
  assert trained.model.decoder_sizes == (8,)

  before = path.read_bytes()
  # Nothing is left to do, and existing results must not be replaced.
  assert run(main, *words).status == 0
  refusal = beside(run, main, *words, '--config.batch_size=32').refusal
  assert 'batch_size=64' in refusal and '--runs-dir' in refusal
  assert path.read_bytes() == before
