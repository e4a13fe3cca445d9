"""The program as a user runs it: in its own processes, and with mistakes."""

import json
import os
import re
import shutil
import signal
import socket
import time
import tomllib

import numpy as np
import pytest

from capsjax.commands.options import COMMANDS
from capsjax.runs.restoring import available_steps
from tests.running import TINY_NETWORK, capsjax, finish, start

TINY = (
  *('--config', 'configs/digits.py', *TINY_NETWORK),
  *('--config.batch_size=60', '--config.num_epochs=2'),
  *('--config.validation_size=1000', '--config.log_every_steps=2'),
)
SAVING_ALWAYS = '--config.checkpoint_every_seconds=0'
TIMES = ('images_per_second', '/seconds')  # differ in every run
STEPS = 14  # two epochs of (1437 - 1000) // 60


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Trains a run without interruption and returns its folder."""
  workdir = tmp_path_factory.mktemp('main') / 'run'
  done = capsjax(*TINY, SAVING_ALWAYS, '--workdir', workdir)
  assert done.status == 0, done.err
  for word in ('devices', '437 training', 'parameters', str(workdir)):
    assert word in done.out
  assert re.search(r'test error \d+\.\d\d%', done.out)
  assert 'Traceback' not in done.err
  return workdir


@pytest.fixture
def copied(trained, tmp_path):
  """Returns a copy of that run, which a test may modify."""
  shutil.copytree(trained, tmp_path / 'copy')
  return tmp_path / 'copy'


def arrays(workdir, which='latest'):
  """Reads the leaves of a checkpoint by name, without a template."""
  import orbax.checkpoint as ocp

  steps = available_steps(workdir / 'checkpoints')[which]
  path = (workdir / 'checkpoints' / which / str(steps[-1]) / 'state').absolute()
  tree = ocp.PyTreeCheckpointer().restore(path)
  import jax

  return {
    jax.tree_util.keystr(name): np.asarray(leaf)
    for name, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def assert_same_bits(a, b):
  assert a.keys() == b.keys()
  for name in a:
    np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def records(workdir):
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def wait_for(condition, process, seconds=120):
  deadline = time.monotonic() + seconds
  while not condition():
    assert process.poll() is None, process.communicate()
    assert time.monotonic() < deadline, 'nothing happened'
    time.sleep(0.02)


def without_times(records):
  return [
    {k: v for k, v in record.items() if not k.endswith(TIMES)}
    for record in records
  ]


def test_two_epochs_are_one_and_then_another_bit_for_bit(trained, tmp_path):
  words = (*TINY, '--workdir', tmp_path / 'parts')
  assert capsjax(*words, '--config.num_epochs=1').status == 0
  done = capsjax(*words)
  assert done.status == 0, done.err
  assert 'continued after step 7' in done.out
  assert_same_bits(arrays(trained), arrays(tmp_path / 'parts'))
  found = without_times(records(tmp_path / 'parts'))
  assert found[-1] == without_times(records(trained))[-1]


def test_a_run_is_evaluated_by_its_own_configuration(trained, tmp_path):
  done = finish(start('evaluate', '--workdir', trained, devices=2))
  assert done.status == 0, done.err
  evaluation = json.loads((trained / 'evaluation.json').read_text())
  assert evaluation['count'] == 360
  assert np.sum(evaluation['confusion']) == 360
  final = [r for r in records(trained) if 'test/accuracy' in r][-1]
  assert evaluation['accuracy'] == pytest.approx(
    final['test/accuracy'], abs=0.01
  )
  assert f'{evaluation["error_percent"]:.2f}%' in done.out
  words = ('evaluate', '--workdir', trained, '--output', tmp_path)
  assert capsjax(*words, '--checkpoint', 'best').status == 0


def test_a_run_that_has_nothing_left_to_do_says_what_it_reached(copied):
  before = arrays(copied)
  done = capsjax('--workdir', copied)
  assert done.status == 0
  assert 'test error' in done.out
  assert_same_bits(before, arrays(copied))


@pytest.mark.parametrize('steps_per_call', [1, 3])
def test_killed_and_continued_is_as_if_nothing_had_happened(
  trained, tmp_path, steps_per_call
):
  whole, killed = trained, tmp_path / 'killed'
  words = (*TINY, SAVING_ALWAYS, f'--config.steps_per_call={steps_per_call}')
  if steps_per_call > 1:
    whole = tmp_path / 'whole'
    assert capsjax(*words, '--workdir', whole).status == 0
  for step in (2, 9):
    process = start(*words, '--workdir', killed)
    latest = killed / 'checkpoints' / 'latest'

    def is_saved(step=step, latest=latest):
      names = [p.name for p in latest.glob('*')] if latest.exists() else []
      return any(n.isdecimal() and int(n) >= step for n in names)

    wait_for(is_saved, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
  done = capsjax(*words, '--workdir', killed)
  assert done.status == 0, done.err
  assert 'continued after step' in done.out
  assert_same_bits(arrays(whole), arrays(killed))
  steps = [r['step'] for r in records(killed)]
  assert steps == sorted(steps)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_saves_and_leaves(tmp_path, number):
  workdir = tmp_path / 'run'
  process = start(*TINY, '--workdir', workdir, '--config.num_epochs=100000')
  metrics = workdir / 'metrics.jsonl'
  wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
  process.send_signal(number)
  done = finish(process)
  assert done.status == 128 + number, done.err
  assert 'Traceback' not in done.err
  stopped = int(
    re.search(r'stopped after step ([\d,]+)', done.out)[1].replace(',', '')
  )
  assert available_steps(workdir / 'checkpoints')['latest'][-1] == stopped


def assert_nearly_the_same(a, b):
  a, b = arrays(a), arrays(b)
  for name in a:
    np.testing.assert_allclose(a[name], b[name], rtol=2e-2, atol=2e-3)


def test_two_devices_train_as_one_does(trained, tmp_path):
  workdir = tmp_path / 'two'
  done = finish(start(*TINY, '--workdir', workdir, devices=2))
  assert done.status == 0, done.err
  assert '2 x cpu' in done.out
  assert_nearly_the_same(trained, workdir)
  # Resume on one device.
  done = capsjax('--workdir', workdir, '--config.num_epochs=3')
  assert done.status == 0, done.err
  assert f'continued after step {STEPS}' in done.out


def test_two_processes_train_as_one_does(trained, tmp_path):
  workdir = tmp_path / 'two'
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    address = f'127.0.0.1:{free.getsockname()[1]}'
  # Processes save together, when the clock of either one says so.
  options = ('--config.checkpoint_every_seconds=0.2', '--coordinator', address)
  processes = [
    start(
      *(*TINY, '--workdir', workdir, *options),
      *('--num-processes', 2, '--process-id', index),
    )
    for index in range(2)
  ]
  results = [finish(process) for process in processes]
  assert [done.status for done in results] == [0, 0], results
  assert 'test error' in results[0].out
  assert 'test error' not in results[1].out, 'only the first process reports'
  assert_nearly_the_same(trained, workdir)


def test_training_goes_on_from_the_checkpoint_that_is_named(copied):
  kept = available_steps(copied / 'checkpoints')
  assert kept['latest'] == [STEPS - 1, STEPS]
  expected, course = arrays(copied), records(copied)
  for name, step in (('13', 13), ('best', kept['best'][0])):
    done = capsjax('--workdir', copied, '--checkpoint', name)
    assert done.status == 0, done.err
    if step < STEPS:
      assert f'continued after step {step}' in done.out
    assert_same_bits(expected, arrays(copied))
    assert [r['step'] for r in records(copied)] == [r['step'] for r in course]


def test_damaged_newest_checkpoint_is_skipped(copied):
  folder = copied / 'checkpoints' / 'latest' / str(STEPS)
  largest = max(
    (p for p in folder.rglob('*') if p.is_file()),
    key=lambda p: p.stat().st_size,
  )
  data = bytearray(largest.read_bytes())
  data[len(data) // 2] ^= 1
  largest.write_bytes(data)
  (copied / 'checkpoints' / 'latest' / '9999').mkdir()
  for path in (copied / 'checkpoints' / 'best').glob(str(STEPS)):
    path.rename(copied / 'gone')
  done = capsjax(*TINY, '--workdir', copied)
  assert done.status == 0, done.err
  assert f'latest/{STEPS}' in done.out
  assert 'continued after step 13' in done.out


MISTAKES = {
  'no run': (['train'], 'give --config'),
  'no such config': (['--config', 'configs/nothing.py'], 'nothing.py'),
  'unknown field': (
    ['--config', 'configs/digits.py', '--config.batchsize=3'],
    'has no field batchsize; did you mean batch_size',
  ),
  'unknown field like no other': (
    ['--config', 'configs/digits.py', '--config.zzzz=3'],
    'has no field zzzz; capsjax config lists them all',
  ),
  'unknown switch': (
    ['--config', 'configs/digits.py', '--noconfig.model.leak'],
    'has no field model.leak; did you mean model.routing.leaky',
  ),
  'unknown nested field': (
    ['--config', 'configs/digits.py', '--config.model.num_iteration=3'],
    'num_iterations',
  ),
  'wrong type': (
    ['--config', 'configs/digits.py', '--config.batch_size=many'],
    'batch_size',
  ),
  'value without equals': (
    ['--config', 'configs/digits.py', '--config.batch_size', '3'],
    'write --config.batch_size=VALUE, without a space',
  ),
  'bad value': (
    ['--config', 'configs/digits.py', '--config.num_epochs=0'],
    'at least 1',
  ),
  'not a number': (
    ['--config', 'configs/digits.py', '--config.optimizer.learning_rate=nan'],
    'greater than 0',
  ),
  'unknown option': (
    ['--confg', 'configs/digits.py'],
    'there is no option --confg; did you mean --config?',
  ),
  'option of another command': (
    ['evaluate', '--picture', 'a.png'],
    'did you mean --pictures, which predict takes?',
  ),
  'field as an option': (
    ['--config', 'configs/digits.py', '--num_epochs=3'],
    'did you mean --config.num_epochs?',
  ),
  'field by another name': (
    ['--config', 'configs/digits.py', '--config.lr=0.1'],
    'did you mean optimizer.learning_rate?',
  ),
  'field by the name of another field': (
    ['--config', 'configs/digits.py', '--config.num_gpus=1'],
    'did you mean num_devices?',
  ),
  'misspelt value': (
    ['--config', 'configs/digits.py', '--config.model.padding=SMAE'],
    "must be 'VALID' or 'SAME'; did you mean SAME?",
  ),
  'no switch': (
    ['--config', 'configs/digits.py', '--config.diagnostics=maybe'],
    "diagnostics='maybe', but it must be True or False",
  ),
  'unknown command': (['trian'], 'no command trian; did you mean train?'),
  'stray word': (
    ['--config', 'configs/digits.py', 'fast'],
    "does not take 'fast'",
  ),
  'two configurations': (
    ['--config', 'configs/digits.py', '--config', 'configs/mnist.py'],
    'give --config only once',
  ),
  'misspelt file': (
    ['--config', 'confgs/digits.py'],
    'did you mean configs/digits.py?',
  ),
  'misspelt checkpoint': (
    ['--config', 'configs/digits.py', '--checkpoint', 'lates'],
    'did you mean latest?',
  ),
  'fields where there are none': (
    ['configs', '--config.seed=1'],
    'configs takes no fields',
  ),
  'quiet and verbose': (
    ['--config', 'configs/digits.py', '-q', '-v'],
    'not allowed with',
  ),
  'unknown data set': (
    ['--config', 'configs/digits.py', '--config.dataset=minst'],
    'mnist',
  ),
  'unknown model': (
    ['--config', 'configs/digits.py', '--config.model_name=capsnets'],
    'capsnet',
  ),
  'unknown schedule': (
    ['--config', 'configs/digits.py', '--config.optimizer.schedule=cosine'],
    'exponential',
  ),
  'unknown padding': (
    ['--config', 'configs/digits.py', '--config.model.padding=HALF'],
    'VALID',
  ),
  'kernel too large': (
    [
      *('--config', 'configs/digits.py'),
      '--config.model.primary_kernel_size=(30, 30)',
    ],
    'kernel',
  ),
  'too many devices': (
    ['--config', 'configs/digits.py', '--config.num_devices=77'],
    'num_devices',
  ),
  'batch larger than the set': (
    ['--config', 'configs/digits.py', '--config.batch_size=5000'],
    'batch_size=5000',
  ),
  'no data folder': (
    ['--config', 'configs/mnist.py', '--config.data_dir=/nowhere/at/all'],
    '/nowhere/at/all',
  ),
  'no run to evaluate': (['evaluate', '--workdir', 'nowhere'], 'nowhere'),
  'no run to export': (['export', '--workdir', 'nowhere'], 'nowhere'),
  'no pictures to predict': (
    ['predict', '--workdir', 'nowhere'],
    'required: --pictures',
  ),
  'the command after the options': (
    ['--workdir', 'nowhere', 'predict'],
    'put the command first: capsjax predict',
  ),
  'pictures for nothing': (
    ['--config', 'configs/digits.py', '--pictures', 'a.png'],
    'predict',
  ),
  'training from a checkpoint that is not there': (
    [*('--config', 'configs/digits.py'), '--checkpoint', 'best'],
    'the best one does not exist',
  ),
  'training from what is no checkpoint': (
    [*('--config', 'configs/digits.py'), '--checkpoint', 'first'],
    'must be latest, best, or the number of a step',
  ),
  'training to another folder': (
    ['--config', 'configs/digits.py', '--output', 'nowhere'],
    'train takes no --output',
  ),
  'processes without a coordinator': (
    ['--config', 'configs/digits.py', '--num-processes', '2'],
    '--coordinator',
  ),
  'zero strides': (
    [
      *('--config', 'configs/digits.py'),
      '--config.model.primary_strides=(0, 2)',
    ],
    'config.model',
  ),
  'milestones that are none': (
    [
      *('--config', 'configs/digits.py'),
      "--config.optimizer.milestones=('a',)",
      '--config.optimizer.schedule=milestones',
    ],
    "milestones=('a',), but it must be numbers",
  ),
  'frozen parts that are none': (
    ['--config', 'configs/digits.py', '--config.freeze=(3,)'],
    "freeze=(3,), but it must be names, such as ('conv', 'primary_capsules')",
  ),
  'no number of processes': (
    ['--config', 'configs/digits.py', '--num-processes', 'two'],
    'two',
  ),
}


@pytest.mark.parametrize('name', MISTAKES)
def test_a_mistake_gives_one_line_and_status_2(
  name, tmp_path, repository, capfd
):
  """In this process, unlike mistakes that need a JAX not yet started."""
  from capsjax import main

  words, hint = MISTAKES[name]
  if '--config' in words and '--workdir' not in words:
    words = [*words, '--workdir', str(tmp_path / 'run')]
  before = os.getcwd()
  os.chdir(repository)
  try:
    status = main.main(words)
  finally:
    os.chdir(before)
  out, err = capfd.readouterr()
  assert status == 2
  assert hint in err
  assert 'Traceback' not in err
  (message,) = err.splitlines()
  assert message.startswith('capsjax: error: ')
  assert not (tmp_path / 'run').exists(), 'a mistake leaves no run behind'


def test_batch_not_divisible_by_the_devices(tmp_path):
  words = (*TINY, '--workdir', tmp_path / 'run', '--config.batch_size=33')
  refusal = finish(start(*words, devices=2)).refusal
  assert '33' in refusal and '2 devices' in refusal


def test_a_run_of_another_kind_is_not_touched(copied):
  before = arrays(copied)
  words = ('--workdir', copied, '--config.model.num_types=3')
  refusal = capsjax(*TINY, *words).refusal
  assert 'num_types=2' in refusal and '--workdir' in refusal
  assert_same_bits(before, arrays(copied))


def test_workdir_that_cannot_be_written(tmp_path):
  file = tmp_path / 'file'
  file.write_text('not a folder')
  assert 'workdir' in capsjax(*TINY, '--workdir', file / 'run').refusal


def test_a_loss_not_finite_stops_and_keeps_what_was_good(tmp_path):
  workdir = tmp_path / 'run'
  rate = '--config.optimizer.learning_rate=1e38'
  done = capsjax(*TINY, '--workdir', workdir, rate, SAVING_ALWAYS)
  assert done.status == 2
  assert 'not finite' in done.err and 'Traceback' not in done.err
  for which, steps in available_steps(workdir / 'checkpoints').items():
    if steps:
      saved = arrays(workdir, which)
      assert all(np.isfinite(leaf).all() for leaf in saved.values())


def test_the_version_is_that_of_the_project(repository):
  text = (repository / 'pyproject.toml').read_text()
  version = tomllib.loads(text)['project']['version']
  done = finish(start('--version'))
  assert (done.status, done.out) == (0, f'capsjax {version}\n')


def test_help_teaches():
  done = finish(start('--help'))
  assert done.status == 0
  for word in ('--config digits', *COMMANDS):
    assert word in done.out
  assert finish(start()).out == done.out
