"""Checkpoints are bit-exact, atomic under SIGKILL, and checked when read."""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest

from capsjax.errors import UserError
from capsjax.runs import manifest as manifest_module
from capsjax.runs.checkpoint import Checkpointer
from capsjax.runs.restoring import (
  available_steps,
  best_metric,
  restore,
)


class Moments(NamedTuple):
  mu: dict
  nothing: tuple
  count: jax.Array


def make_state(step, size=5000):
  """Returns the state of a step: noise, which compression cannot shrink."""
  noise = np.random.default_rng(step).integers(0, 2**32, size, dtype=np.uint32)
  return {
    'params': {
      # Every bit pattern: NaNs with payloads, infinities, -0., denormals.
      'kernel': noise.view(np.float32),
      'bias': noise[:6].astype(np.float32).astype(ml_dtypes.bfloat16),
    },
    'moments': Moments(
      {'kernel': noise.reshape(-1, 10) % 2 == 0}, (), noise[0]
    ),
    'step': np.asarray(step, np.int32),
  }


def assert_same(actual, expected):
  assert jax.tree.structure(actual) == jax.tree.structure(expected)
  for a, b in zip(
    jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True
  ):
    b = np.asarray(b)
    assert (type(a), a.dtype, a.shape) == (np.ndarray, b.dtype, b.shape)
    assert a.tobytes() == b.tobytes()


def save(directory, latest=(), best=()):
  with Checkpointer(directory) as checkpointer:
    for step in latest:
      checkpointer.save_latest(step, make_state(step))
    for step in best:
      checkpointer.save_best(step, make_state(step), metric=step / 10)


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
  """Saves steps 1 and 2 as latest."""
  directory = tmp_path_factory.mktemp('saved') / 'checkpoints'
  save(directory, latest=(1, 2))
  return directory


@pytest.fixture
def copy(saved, tmp_path):
  return shutil.copytree(saved, tmp_path / 'copy')


@pytest.fixture
def warnings():
  return []


@pytest.fixture
def held(monkeypatch):
  """Blocks each save just before it is renamed into place, until set."""
  release = threading.Event()
  finalize = ocp.CompositeCheckpointHandler.finalize

  def finalize_when_released(self, directory):
    assert release.wait(30)
    return finalize(self, directory)

  monkeypatch.setattr(
    ocp.CompositeCheckpointHandler, 'finalize', finalize_when_released
  )
  return release


def no_warning(line):
  raise AssertionError(line)


def test_round_trip_is_bit_exact(saved, capfd):
  restored = restore(saved, make_state(0), warn=no_warning)
  assert restored.step == 2
  assert restored.metric is None
  assert restored.path == saved / 'latest' / '2'
  assert_same(restored.state, make_state(2))
  assert capfd.readouterr().err == ''


def test_template_may_be_shapes_only(saved):
  template = jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), make_state(0)
  )
  assert_same(restore(saved, template, warn=no_warning).state, make_state(2))


def test_relative_directory(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  save('checkpoints', latest=[3])
  assert restore('checkpoints', make_state(0), warn=no_warning).step == 3


def test_latest_and_best_are_kept_apart(tmp_path):
  save(tmp_path, latest=(1, 2, 3), best=(1, 2))
  save(tmp_path, latest=(4, 5, 6))
  assert available_steps(tmp_path) == {'latest': [5, 6], 'best': [2]}
  save(tmp_path, best=(7, 8, 9))
  assert available_steps(tmp_path) == {'latest': [5, 6], 'best': [9]}

  best = restore(tmp_path, make_state(0), which='best', warn=no_warning)
  assert (best.step, best.metric) == (9, 0.9)
  assert_same(best.state, make_state(9))
  fifth = restore(tmp_path, make_state(0), which=5, warn=no_warning)
  assert_same(fifth.state, make_state(5))
  # A run that is killed between the two saves resumes from the newer one.
  newest = restore(tmp_path, make_state(0), warn=no_warning)
  assert newest.path == tmp_path / 'best' / '9'


def test_keep_latest(tmp_path):
  with Checkpointer(tmp_path, keep_latest=3) as checkpointer:
    for step in range(5):
      checkpointer.save_latest(step, make_state(step))
  assert available_steps(tmp_path)['latest'] == [2, 3, 4]


def test_what_is_kept_for_good_stays(tmp_path):
  with Checkpointer(tmp_path, keep_latest=2, keep_every=4) as checkpointer:
    for step in range(1, 12):
      checkpointer.save_latest(step, make_state(step))
  assert available_steps(tmp_path)['latest'] == [4, 8, 10, 11]
  fourth = restore(tmp_path, make_state(0), which=4, warn=no_warning)
  assert_same(fourth.state, make_state(4))
  # A run that resumes from step 4 trains step 8 anew.
  with Checkpointer(tmp_path, keep_latest=2, keep_every=4) as checkpointer:
    checkpointer.save_latest(5, make_state(5))
  assert available_steps(tmp_path)['latest'] == [4, 5]


def test_saving_goes_on_behind(tmp_path, held):
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save_latest(1, make_state(1))
    checkpointer.save_best(1, make_state(1), metric=0.5)
    assert available_steps(tmp_path) == {'latest': [], 'best': []}
    held.set()
    checkpointer.wait()
    assert available_steps(tmp_path) == {'latest': [1], 'best': [1]}


def test_state_may_be_overwritten_and_donated_after_save(tmp_path, held):
  host = {'x': np.arange(1000.0, dtype=np.float32)}
  device = {'x': jnp.arange(100000.0)}
  expected = np.array(device['x'])
  advance = jax.jit(lambda state: {'x': state['x'] * 2}, donate_argnums=0)
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save_latest(1, device)
    checkpointer.save_best(1, host, metric=0.0)
    host['x'][:] = -1
    for _ in range(3):
      device = advance(device)
    jax.block_until_ready(device)
    held.set()
  latest = restore(tmp_path, device, which=1, warn=no_warning)
  np.testing.assert_array_equal(latest.state['x'], expected)
  best = restore(tmp_path, host, which='best', warn=no_warning)
  np.testing.assert_array_equal(best.state['x'], np.arange(1000.0))


def test_same_step_again_replaces_it_only_when_whole(tmp_path, held):
  held.set()
  save(tmp_path, best=[4])
  held.clear()
  with Checkpointer(tmp_path) as checkpointer:
    new = make_state(5) | {'step': np.asarray(44, np.int32)}
    checkpointer.save_best(4, new, metric=0.7)
    during = restore(tmp_path, new, which='best', warn=no_warning)
    assert_same(during.state, make_state(4))
    held.set()
    checkpointer.wait()
    after = restore(tmp_path, new, which='best', warn=no_warning)
    assert after.metric == 0.7
    assert_same(after.state, new)
  assert [path.name for path in (tmp_path / 'best').iterdir()] == ['4']


def test_no_checkpoint(tmp_path, saved):
  assert restore(tmp_path, make_state(0), warn=no_warning) is None
  assert restore(tmp_path / 'absent', make_state(0), warn=no_warning) is None
  best = best_metric(saved, make_state(0), until=9, warn=no_warning)
  assert best is None
  for which, end in (('best', '; .*validation_size=N'), (7, '')):
    with pytest.raises(
      UserError, match=rf'not exist; .*latest: 1, 2; best: none{end}$'
    ):
      restore(saved, make_state(0), which=which, warn=no_warning)


def test_leftovers_are_ignored_and_swept(tmp_path, caplog):
  for name in ('3.orbax-checkpoint-tmp', '8.orbax-checkpoint-tmp', 'notes'):
    (tmp_path / 'latest' / name).mkdir(parents=True)
  (tmp_path / 'latest' / '9').write_text('a file')
  assert restore(tmp_path, make_state(0), warn=no_warning) is None
  save(tmp_path, latest=[8])
  left = {path.name for path in (tmp_path / 'latest').iterdir()}
  assert left == {'8', '9', 'notes'}
  assert not caplog.records


def files_of(directory):
  """Lists files relative to `directory`, with Orbax's random names sorted."""
  paths = [path for path in directory.rglob('*') if path.is_file()]
  return sorted(paths, key=lambda path: (path.parent, path.stat().st_size))


def delete(path):
  path.unlink()


def truncate(path):
  path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 4
  path.write_bytes(content)


@pytest.mark.parametrize('damage', [delete, truncate, flip])
def test_damage_anywhere_is_noticed(copy, damage, warnings, capfd):
  skipped = 0
  pristine = copy / 'pristine'
  shutil.copytree(copy / 'latest' / '2', pristine)
  for path in files_of(copy / 'latest' / '2'):
    if path.stat().st_size == 0:
      continue
    damage(path)
    warnings.clear()
    restored = restore(copy, make_state(0), warn=warnings.append)
    # Damage to some files is harmless; then the values must be right.
    assert_same(restored.state, make_state(restored.step))
    assert len(warnings) == (restored.step == 1)
    for line in warnings:
      assert str(copy / 'latest' / '2') in line and '\n' not in line
    skipped += restored.step == 1
    shutil.rmtree(copy / 'latest' / '2')
    shutil.copytree(pristine, copy / 'latest' / '2')
  assert skipped >= 3
  assert capfd.readouterr().err == ''


def test_a_flipped_value_is_told_by_its_checksum(copy, warnings):
  """Orbax alone would restore it silently."""
  # Noise is stored uncompressed, so its bytes can be found.
  wanted = make_state(2)['params']['kernel'].tobytes()[1000:1100]
  [path] = [
    path
    for path in files_of(copy / 'latest' / '2')
    if wanted in path.read_bytes()
  ]
  content = bytearray(path.read_bytes())
  content[content.index(wanted) + 50] ^= 1
  path.write_bytes(content)
  assert restore(copy, make_state(0), warn=warnings.append).step == 1
  assert 'params/kernel does not match its checksum' in warnings[0]


def test_half_written_folder_and_folder_of_another_step(copy, warnings):
  (copy / 'latest' / '9').mkdir()
  shutil.copytree(copy / 'latest' / '1', copy / 'latest' / '8')
  shutil.copytree(copy / 'latest' / '2', copy / 'latest' / '7')
  shutil.rmtree(copy / 'latest' / '7' / 'manifest')
  restored = restore(copy, make_state(0), warn=warnings.append)
  assert restored.step == 2
  assert [
    f'{copy}/latest/{step}:' in line
    for step, line in zip((9, 8, 7), warnings, strict=True)
  ] == [True] * 3
  assert 'holds step 1' in warnings[1]


@pytest.mark.parametrize('error', [PermissionError, OSError, MemoryError])
def test_what_cannot_be_read_now_is_not_taken_for_damage(
  copy, warnings, monkeypatch, error
):
  """Resuming from an older one would delete it."""

  def refuse(*args, **kwargs):
    raise error('not now')

  monkeypatch.setattr(ocp.PyTreeCheckpointHandler, 'restore', refuse)
  with pytest.raises(UserError, match=r'cannot read .*latest/2 .*not now'):
    restore(copy, make_state(0), warn=warnings.append)
  assert not warnings


def test_damaged_latest_falls_back_to_best(copy, warnings):
  save(copy, best=[1])
  for step in ('1', '2'):
    shutil.rmtree(copy / 'latest' / step / 'state')
  restored = restore(copy, make_state(0), warn=warnings.append)
  assert restored.path == copy / 'best' / '1'
  assert len(warnings) == 2
  shutil.rmtree(copy / 'best' / '1' / 'state')
  with pytest.raises(UserError, match=r'every checkpoint .* move that'):
    restore(copy, make_state(0), warn=warnings.append)
  for which in ('best', 2):
    with pytest.raises(UserError, match='damaged; there are latest: 1, 2; '):
      restore(copy, make_state(0), which=which, warn=warnings.append)


def test_best_metric_is_of_a_whole_checkpoint(copy, warnings):
  save(copy, best=[6])
  assert best_metric(copy, make_state(0), until=9, warn=no_warning) == 0.6
  # A run that resumes from an earlier step no longer has this best one.
  assert best_metric(copy, make_state(0), until=6, warn=no_warning) == 0.6
  assert best_metric(copy, make_state(0), until=5, warn=no_warning) is None
  shutil.rmtree(copy / 'best' / '6' / 'state')
  assert best_metric(copy, make_state(0), until=9, warn=warnings.append) is None
  assert len(warnings) == 1


def test_damaged_newer_steps_go_once_training_is_past_a_good_one(
  copy, warnings
):
  """Otherwise, they would displace the good ones or block new saves."""
  for step in ('5', '9'):
    (copy / 'latest' / step).mkdir()
  save(copy, latest=[3])
  assert available_steps(copy)['latest'] == [2, 3]
  assert restore(copy, make_state(0), warn=no_warning).step == 3
  (copy / 'latest' / '4').mkdir()
  save(copy, latest=[4])
  assert_same(
    restore(copy, make_state(0), warn=no_warning).state, make_state(4)
  )


def _other(**changes):
  state = make_state(0)
  return state | {'params': state['params'] | changes}


@pytest.mark.parametrize(
  'template, leaf, there, here',
  [
    (
      _other(kernel=np.zeros(7, np.float32)),
      'params/kernel',
      r'float32\[5000\]',
      r'float32\[7\]',
    ),
    (
      _other(kernel=np.zeros(5000, np.float16)),
      'params/kernel',
      r'float32\[5000\]',
      r'float16\[5000\]',
    ),
    (_other(scale=np.zeros(2)), 'params/scale', 'absent', r'float64\[2\]'),
    (
      {'step': np.zeros((), np.int32)},
      'moments/mu/kernel',
      r'bool\[500,10\]',
      'absent',
    ),
  ],
)
def test_another_network_is_not_damage(saved, template, leaf, there, here):
  with pytest.raises(
    UserError,
    match=f'another network: its {leaf} is {there}, here it is {here}',
  ) as error:
    restore(saved, template, warn=no_warning)
  assert '\n' not in str(error.value)


def test_another_format_is_not_damage(tmp_path, monkeypatch):
  with monkeypatch.context() as patch:
    patch.setattr(manifest_module, '_FORMAT', 99)
    save(tmp_path, latest=[1])
  with pytest.raises(UserError, match='format 99, not 1'):
    restore(tmp_path, make_state(0), warn=no_warning)


def test_unwritable_directory(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write .*another --workdir'):
    Checkpointer(tmp_path / 'file' / 'checkpoints')


def test_failure_is_told_in_one_line(tmp_path, caplog):
  checkpointer = Checkpointer(tmp_path)
  checkpointer.save_best(1, make_state(1), metric=0.1)
  shutil.rmtree(tmp_path / 'latest')
  (tmp_path / 'latest').write_text('no folder any more')
  with pytest.raises(UserError, match='cannot write'):
    checkpointer.save_latest(2, make_state(2))
  checkpointer.close()
  assert available_steps(tmp_path)['best'] == [1]
  assert not caplog.records


def test_failure_behind_is_told_by_the_next_call(tmp_path, caplog, monkeypatch):
  def fail(*_):
    raise OSError('no space left')

  checkpointer = Checkpointer(tmp_path)
  with monkeypatch.context() as patch:
    patch.setattr(ocp.CompositeCheckpointHandler, 'finalize', fail)
    checkpointer.save_latest(1, make_state(1))
    with pytest.raises(UserError, match='cannot write .*no space left; make'):
      checkpointer.save_latest(2, make_state(2))
  checkpointer.save_latest(3, make_state(3))
  checkpointer.close()
  assert available_steps(tmp_path)['latest'] == [3]
  # Orbax would also log the traceback.
  assert not caplog.records


def test_two_devices_to_one(tmp_path):
  """States are saved without the device axis of pmap, so they load anywhere."""
  devices = jax.devices()[:2]
  assert len(devices) == 2
  add = jax.pmap(
    lambda x, y: x + jax.lax.psum(y, 'data'),
    'data',
    in_axes=(None, 0),
    out_axes=None,
    devices=devices,
  )
  state = {'x': add(jnp.arange(5.0), jnp.asarray([1.0, 2.0]))}
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save_latest(1, state)
  restored = restore(tmp_path, state, warn=no_warning).state
  one = jax.device_put(restored, devices[1])
  np.testing.assert_array_equal(one['x'], np.arange(5.0) + 3)


def start(repository, code, *arguments):
  """Starts a Python that can import this file and the repository."""
  paths = [Path(__file__).parent, repository, os.environ.get('PYTHONPATH', '')]
  path = os.pathsep.join(map(str, paths))
  return subprocess.Popen(
    [sys.executable, '-W', 'error', '-c', code, *map(str, arguments)],
    env=os.environ | {'PYTHONPATH': path, 'JAX_PLATFORMS': 'cpu'},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


SAVE_FOR_EVER = """
import sys
from test_checkpoint import make_state
from capsjax.runs.checkpoint import Checkpointer
from capsjax.runs.restoring import restore

def fail(line):
  raise AssertionError(line)

directory = sys.argv[1]
restored = restore(directory, make_state(0, 200_000), warn=fail)
step = restored.step if restored else 0
with Checkpointer(directory) as checkpointer:
  while True:
    step += 1
    state = make_state(step, 200_000)
    checkpointer.save_latest(step, state)
    if step % 3 == 0:
      checkpointer.save_best(step, state, metric=step)
    print(step, flush=True)  # So the steps before this one are whole.
"""


def test_killed_while_saving(tmp_path, repository):
  pauses = random.Random(0)
  whole = 0
  for _ in range(4):
    process = start(repository, SAVE_FOR_EVER, tmp_path)
    for _ in range(4):
      line = process.stdout.readline()
      assert line, process.stderr.read()
    time.sleep(pauses.uniform(0, 0.1))
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    whole_before, whole = whole, int((line + output).split()[-1]) - 1
    restored = restore(tmp_path, make_state(0, 200_000), warn=no_warning)
    assert restored.step >= whole > whole_before
    assert_same(restored.state, make_state(restored.step, 200_000))
    best = restore(
      tmp_path, make_state(0, 200_000), which='best', warn=no_warning
    )
    assert_same(best.state, make_state(int(best.metric), 200_000))
  with Checkpointer(tmp_path) as checkpointer:
    checkpointer.save_latest(10**6, make_state(1))
    checkpointer.save_best(10**6, make_state(1), metric=1.0)
  assert {
    len(list((tmp_path / kind).iterdir())) for kind in ('latest', 'best')
  } == {2, 1}


SAVE_TOGETHER = """
import sys
import jax
jax.distributed.initialize(f'localhost:{sys.argv[2]}', 2, int(sys.argv[3]))
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from test_checkpoint import make_state, assert_same
from capsjax.runs.checkpoint import Checkpointer
from capsjax.runs.restoring import restore

assert jax.process_count() == 2
everywhere = NamedSharding(Mesh(np.array(jax.devices()), 'x'), PartitionSpec())
with Checkpointer(sys.argv[1]) as checkpointer:
  for step in (1, 2, 3, 3):
    state = jax.tree.map(
      lambda leaf: jax.make_array_from_callback(
        np.shape(leaf), everywhere, lambda index: np.asarray(leaf)[index]
      ),
      make_state(step),
    )
    checkpointer.save_latest(step, state)
    checkpointer.save_best(step, make_state(step), metric=step)
warnings = []
restored = restore(sys.argv[1], make_state(0), warn=warnings.append)
assert (restored.step, warnings) == (3, [])
assert_same(restored.state, make_state(3))
"""


def test_two_processes_save_and_one_restores(tmp_path, repository):
  with socket.create_server(('localhost', 0)) as server:
    port = server.getsockname()[1]
  processes = [
    start(repository, SAVE_TOGETHER, tmp_path, port, index) for index in (0, 1)
  ]
  try:
    for process in processes:
      _, stderr = process.communicate(timeout=60)
      assert process.returncode == 0, stderr
  finally:
    for process in processes:
      process.kill()
  assert available_steps(tmp_path) == {'latest': [2, 3], 'best': [3]}
  restored = restore(tmp_path, make_state(0), warn=no_warning)
  assert_same(restored.state, make_state(3))
