"""The program as a user runs it: in processes of its own, and used wrongly."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest

from capsjax.training.restore import available_steps

CONFIG = """
from ml_collections import ConfigDict
from configs import base, digits


def get_config() -> ConfigDict:
  config = digits.get_config()
  config.batch_size = 60
  config.num_epochs = 2
  config.validation_size = 1000
  config.log_every_steps = 2
  config.model.conv_features = 4
  config.model.conv_kernel_size = (5, 5)
  config.model.num_types = 2
  config.model.primary_strides = (4, 4)
  config.model.decoder_sizes = (8,)
  return config
"""
TIMES = ('images_per_second', '/seconds')  # which no two runs share
STEPS = 14  # two epochs of (1437 - 1000) // 60


@pytest.fixture
def tiny(tmp_path):
  path = tmp_path / 'tiny.py'
  path.write_text(CONFIG)
  return path


@pytest.fixture
def command(repository):
  """Starts the program; `cores` host devices, in the checkout's folder."""

  def start(*words, cores=1, **kwargs):
    environment = os.environ | {
      'XLA_FLAGS': f'--xla_force_host_platform_device_count={cores}',
      'PYTHONPATH': str(repository),
      'PYTHONUNBUFFERED': '1',
    }
    return subprocess.Popen(
      [sys.executable, '-m', 'capsjax.main', *map(str, words)],
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
      cwd=repository,
      env=environment,
      **kwargs,
    )

  return start


@pytest.fixture
def run(command):
  """Runs the program to its end; returns status, standard output and error."""

  def finish(*words, cores=1):
    process = command(*words, cores=cores)
    out, err = process.communicate(timeout=240)
    return process.returncode, out, err

  return finish


def arrays(workdir, which='latest'):
  """The leaves of a checkpoint, by name, read without a template."""
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


def test_train_continue_and_evaluate(run, tiny, tmp_path):
  whole, parts = tmp_path / 'whole', tmp_path / 'parts'
  status, out, err = run('--config', tiny, '--workdir', whole)
  assert status == 0, err
  for word in ('devices', '437 training', 'parameters', str(whole)):
    assert word in out
  assert re.search(r'test error \d+\.\d\d%', out)
  assert 'Traceback' not in err

  # One epoch, then the second: the same as both at once, bit for bit.
  words = ('--config', tiny, '--workdir', parts)
  assert run(*words, '--config.num_epochs=1')[0] == 0
  status, out, _ = run(*words)
  assert status == 0
  assert 'continued after step 7' in out
  assert_same_bits(arrays(whole), arrays(parts))
  scalars = [
    {k: v for k, v in record.items() if not k.endswith(TIMES)}
    for record in records(whole)
    if record['step'] > 7
  ]
  later = [
    {k: v for k, v in record.items() if not k.endswith(TIMES)}
    for record in records(parts)
    if record['step'] > 7
  ]
  assert later[-1] == scalars[-1]

  # A checkpoint of one device on two, by the run's own configuration.
  status, out, err = run('evaluate', '--workdir', whole, cores=2)
  assert status == 0, err
  evaluation = json.loads((whole / 'evaluation.json').read_text())
  assert evaluation['count'] == 360
  assert np.sum(evaluation['confusion']) == 360
  final = [r for r in records(whole) if 'test/accuracy' in r][-1]
  assert evaluation['accuracy'] == pytest.approx(
    final['test/accuracy'], abs=0.01
  )
  assert f'{evaluation["error_percent"]:.2f}%' in out
  assert run('evaluate', '--workdir', whole, '--checkpoint', 'best')[0] == 0

  # Nothing is left to do; the run says so and what it reached.
  status, out, _ = run('--workdir', whole)
  assert status == 0
  assert 'test error' in out


@pytest.mark.parametrize('steps_per_call', [1, 3])
def test_killed_and_continued_is_as_if_nothing_had_happened(
  command, run, tiny, tmp_path, steps_per_call
):
  whole, killed = tmp_path / 'whole', tmp_path / 'killed'
  words = ('--config', tiny, '--config.checkpoint_every_seconds=0')
  words += (f'--config.steps_per_call={steps_per_call}',)
  assert run(*words, '--workdir', whole)[0] == 0
  for step in (2, 9):
    process = command(*words, '--workdir', killed)
    latest = killed / 'checkpoints' / 'latest'

    def is_saved(step=step, latest=latest):
      names = [p.name for p in latest.glob('*')] if latest.exists() else []
      return any(n.isdecimal() and int(n) >= step for n in names)

    wait_for(is_saved, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
  status, out, err = run(*words, '--workdir', killed)
  assert status == 0, err
  assert 'continued after step' in out
  assert_same_bits(arrays(whole), arrays(killed))
  steps = [r['step'] for r in records(killed)]
  assert steps == sorted(steps)


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_run_saves_and_leaves(command, run, tiny, tmp_path, number):
  workdir = tmp_path / 'run'
  words = ('--config', tiny, '--workdir', workdir, '--config.num_epochs=100000')
  process = command(*words)
  metrics = workdir / 'metrics.jsonl'
  wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
  process.send_signal(number)
  out, err = process.communicate(timeout=60)
  assert process.returncode == 0, err
  assert 'Traceback' not in err
  stopped = int(
    re.search(r'stopped after step ([\d,]+)', out)[1].replace(',', '')
  )
  assert available_steps(workdir / 'checkpoints')['latest'][-1] == (stopped)


def test_two_devices_train_as_one_does(run, tiny, tmp_path):
  one, two = tmp_path / 'one', tmp_path / 'two'
  assert run('--config', tiny, '--workdir', one)[0] == 0
  status, out, err = run('--config', tiny, '--workdir', two, cores=2)
  assert status == 0, err
  assert '2 x cpu' in out
  a, b = arrays(one), arrays(two)
  for name in a:
    np.testing.assert_allclose(a[name], b[name], rtol=2e-2, atol=2e-3)
  # Continued on one device.
  words = ('--workdir', two, '--config.num_epochs=3')
  status, out, err = run(*words, cores=1)
  assert status == 0, err
  assert 'continued after step 14' in out


def test_two_processes_train_as_one_does(command, run, tiny, tmp_path):
  one, two = tmp_path / 'one', tmp_path / 'two'
  assert run('--config', tiny, '--workdir', one)[0] == 0
  with socket.socket() as free:
    free.bind(('127.0.0.1', 0))
    address = f'127.0.0.1:{free.getsockname()[1]}'
  # They save together, by the clock of either.
  options = ('--config.checkpoint_every_seconds=0.2', '--coordinator', address)
  processes = [
    command(
      *('--config', tiny, '--workdir', two, *options),
      *('--num-processes', 2, '--process-id', index),
    )
    for index in range(2)
  ]
  results = [process.communicate(timeout=240) for process in processes]
  assert [p.returncode for p in processes] == [0, 0], results
  assert 'test error' in results[0][0]
  assert 'test error' not in results[1][0], 'only the first process reports'
  a, b = arrays(one), arrays(two)
  for name in a:
    np.testing.assert_allclose(a[name], b[name], rtol=2e-2, atol=2e-3)


def test_training_goes_on_from_the_checkpoint_that_is_named(
  run, tiny, tmp_path
):
  workdir = tmp_path / 'run'
  words = ('--config', tiny, '--workdir', workdir)
  assert run(*words, '--config.checkpoint_every_seconds=0')[0] == 0
  kept = available_steps(workdir / 'checkpoints')
  assert kept['latest'] == [STEPS - 1, STEPS]
  expected, course = arrays(workdir), records(workdir)
  for name, step in (('13', 13), ('best', kept['best'][0])):
    status, out, err = run('--workdir', workdir, '--checkpoint', name)
    assert status == 0, err
    if step < STEPS:
      assert f'continued after step {step}' in out
    assert_same_bits(expected, arrays(workdir))
    assert [r['step'] for r in records(workdir)] == [r['step'] for r in course]


def test_damaged_newest_checkpoint_is_skipped(run, tiny, tmp_path):
  workdir = tmp_path / 'run'
  words = ('--config', tiny, '--workdir', workdir)
  assert run(*words, '--config.checkpoint_every_seconds=0')[0] == 0
  folder = workdir / 'checkpoints' / 'latest' / str(STEPS)
  largest = max(
    (p for p in folder.rglob('*') if p.is_file()),
    key=lambda p: p.stat().st_size,
  )
  data = bytearray(largest.read_bytes())
  data[len(data) // 2] ^= 1
  largest.write_bytes(data)
  (workdir / 'checkpoints' / 'latest' / '9999').mkdir()
  for path in (workdir / 'checkpoints' / 'best').glob(str(STEPS)):
    path.rename(workdir / 'gone')
  status, out, err = run(*words)
  assert status == 0, err
  assert f'latest/{STEPS}' in out
  assert 'continued after step 13' in out


TO_NOWHERE = ('--workdir', 'nowhere')
MISTAKES = {
  'no arguments': ([], 'give --config'),
  'no such config': (['--config', 'configs/nothing.py'], 'nothing.py'),
  'unknown field': (
    ['--config', 'configs/digits.py', '--config.batchsize=3'],
    'has no field batchsize; did you mean batch_size',
  ),
  'unknown field like no other': (
    ['--config', 'configs/digits.py', '--config.zzzz=3'],
    'has no field zzzz; see configs/base.py',
  ),
  'unknown switch': (
    ['--config', 'configs/digits.py', '--noconfig.model.leak'],
    'has no field model.leak; did you mean model.leaky',
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
    'config.batch_size=VALUE',
  ),
  'bad value': (
    ['--config', 'configs/digits.py', '--config.num_epochs=0'],
    'at least 1',
  ),
  'not a number': (
    ['--config', 'configs/digits.py', '--config.optimizer.learning_rate=nan'],
    'greater than 0',
  ),
  'unknown option': (['--confg', 'configs/digits.py'], '--confg'),
  'unknown command': (['trian'], 'trian'),
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
  'no pictures to predict': (
    ['predict', '--workdir', 'nowhere'],
    '--pictures PATH',
  ),
  'the command after the pictures': (
    ['--workdir', 'nowhere', '--pictures', 'a.png', 'predict'],
    'put the command first: predict --pictures',
  ),
  'pictures for nothing': (
    ['--config', 'configs/digits.py', '--pictures', 'a.png'],
    'predict',
  ),
  'training from a checkpoint that is not there': (
    [*('--config', 'configs/digits.py'), *TO_NOWHERE, '--checkpoint', 'best'],
    'the best one does not exist',
  ),
  'training from what is no checkpoint': (
    [*('--config', 'configs/digits.py'), *TO_NOWHERE, '--checkpoint', 'first'],
    'must be latest, best, or the number of a step',
  ),
  'training to another folder': (
    ['--config', 'configs/digits.py', '--output', 'nowhere'],
    '--workdir',
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
    'config.optimizer',
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
  """In this process, but for the mistakes that JAX must not have started."""
  from capsjax import main

  words, hint = MISTAKES[name]
  if words and '--workdir' not in words:
    words = [*words, '--workdir', str(tmp_path / 'run')]
  before = os.getcwd()
  os.chdir(repository)
  try:
    status = main.main(words)
  except SystemExit as e:
    status = e.code
  finally:
    os.chdir(before)
  out, err = capfd.readouterr()
  assert status == 2
  assert hint in err
  assert 'Traceback' not in err
  message = [line for line in err.splitlines() if 'error:' in line]
  assert len(message) == 1
  assert not (tmp_path / 'run').exists(), 'a mistake leaves no run behind'


def test_batch_not_divisible_by_the_devices(run, tiny, tmp_path):
  words = ('--config', tiny, '--workdir', tmp_path / 'run')
  status, _, err = run(*words, '--config.batch_size=33', cores=2)
  assert status == 2
  assert '33' in err and '2 devices' in err and err.count('\n') == 1


def test_a_run_of_another_kind_is_not_touched(run, tiny, tmp_path):
  workdir = tmp_path / 'run'
  words = ('--config', tiny, '--workdir', workdir)
  assert run(*words, '--config.num_epochs=1')[0] == 0
  before = arrays(workdir)
  status, _, err = run(*words, '--config.model.num_types=3')
  assert status == 2
  assert 'num_types=2' in err and '--workdir' in err and err.count('\n') == 1
  assert_same_bits(before, arrays(workdir))


def test_workdir_that_cannot_be_written(run, tiny, tmp_path):
  file = tmp_path / 'file'
  file.write_text('not a folder')
  status, _, err = run('--config', tiny, '--workdir', file / 'run')
  assert status == 2
  assert 'workdir' in err and err.count('\n') == 1


def test_a_loss_not_finite_stops_and_keeps_what_was_good(run, tiny, tmp_path):
  workdir = tmp_path / 'run'
  words = ('--config', tiny, '--workdir', workdir)
  status, _, err = run(
    *words,
    '--config.optimizer.learning_rate=1e38',
    '--config.checkpoint_every_seconds=0',
  )
  assert status == 2
  assert 'not finite' in err and 'Traceback' not in err
  for which, steps in available_steps(workdir / 'checkpoints').items():
    if steps:
      saved = arrays(workdir, which)
      assert all(np.isfinite(leaf).all() for leaf in saved.values())


def test_the_version_is_that_of_the_project(run, repository):
  project = tomllib.loads((repository / 'pyproject.toml').read_text())[
    'project'
  ]
  status, out, _ = run('--version')
  assert (status, out) == (0, f'capsjax {project["version"]}\n')


def test_help_teaches(run):
  status, out, _ = run('--help')
  assert status == 0
  for word in ('configs/digits.py', 'evaluate', '--config.FIELD', 'data_dir'):
    assert word in out
