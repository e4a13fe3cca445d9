"""Weights & Biases offline, and what a run says if it cannot be used."""

import json
import os
import struct
import sys
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from capsjax import main
from capsjax.errors import UserError
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.tracking import open_writers
from tests.running import TINY_NETWORK, beside, finish, run, start
from tests.runs.events import hyperparameters_shown, scalars_shown

WORDS = (
  *('--config', 'configs/digits.py', *TINY_NETWORK),
  *('--config.batch_size=60', '--config.train_size=240'),
  *('--config.log_every_steps=2', '--config.tracking=wandb'),
)
# wandb reads more variables, which the tests must not depend on.
OFFLINE = {'WANDB_MODE': 'offline', 'WANDB_SILENT': 'true'}


def train(environment, *words):
  """Runs the program with some environment, in the helper process."""
  return beside(_run_with, environment, (*WORDS, *map(str, words)))


def _run_with(environment, words):
  with mock.patch.dict(os.environ, environment):
    return run(main.main, *words)


def _run_without_wandb(words):
  with mock.patch.dict(sys.modules, {'wandb': None}):
    return run(main.main, *words)


def read_log(path):
  """Yields the records of a `.wandb` file: a log in LevelDB's format."""
  from wandb.proto.wandb_internal_pb2 import Record

  content, place, partial = path.read_bytes(), 7, b''
  assert content[:4] == b':W&B'
  while place < len(content):
    room = 32768 - place % 32768
    if room < 7:  # The rest of a block is padding.
      place += room
      continue
    _, size, kind = struct.unpack('<IHB', content[place : place + 7])
    partial += content[place + 7 : place + 7 + size]
    place += 7 + size
    if kind in (1, 4):  # whole, or the last part
      yield Record.FromString(partial)
      partial = b''


def read_run(path):
  """Returns the id and configuration of a run, and its history by step."""
  identity, config, history = '', {}, {}
  for record in read_log(path):
    kind = record.WhichOneof('record_type')
    if kind == 'run':
      identity = record.run.run_id
      config = {
        item.key or '/'.join(item.nested_key): json.loads(item.value_json)
        for item in record.run.config.update
      }
    elif kind == 'history':
      line = history.setdefault(record.history.step.num, {})
      for item in record.history.item:
        # Pictures have several entries with a key of two parts.
        if len(item.nested_key) < 2:
          name = item.key or item.nested_key[0]
          line[name] = json.loads(item.value_json)
  return identity, config, history


def logs(workdir):
  return sorted((workdir / 'wandb').glob('offline-run-*/run-*.wandb'))


@pytest.fixture(scope='module')
def tracked(tmp_path_factory):
  """Trains an epoch, resumes for another one, and returns the folder."""
  workdir = tmp_path_factory.mktemp('tracked') / 'run'
  for epochs in (1, 2):
    done = train(OFFLINE, '--workdir', workdir, f'--config.num_epochs={epochs}')
    assert done.status == 0, done.err
  return workdir


def test_a_resumed_run_is_one_run_there(tracked):
  runs = [read_run(path) for path in logs(tracked)]
  assert len(runs) == 2
  identities = {identity for identity, _, _ in runs}
  assert identities == {(tracked / 'wandb_id.txt').read_text().strip()}
  assert [config['num_epochs'] for _, config, _ in runs] == [1, 2]
  assert runs[0][1]['model']['conv_features'] == 4


def test_its_history_is_that_of_the_metrics_file(tracked):
  expected = {}
  lines = (tracked / 'metrics.jsonl').read_text().splitlines()
  for line in map(json.loads, lines):
    del line['epoch']
    expected.setdefault(line.pop('step'), {}).update(line)
  found = {}
  for path in logs(tracked):
    for step, line in read_run(path)[2].items():
      found[step] = {
        name: value for name, value in line.items() if name[0] != '_'
      }
  assert found == expected
  assert any('test/error_percent' in line for line in found.values())


def test_its_pictures_are_there(tracked):
  folder = logs(tracked)[-1].parent / 'files' / 'media' / 'images' / 'test'
  # A name ends with a number and a checksum.
  pictures = {path.name.rsplit('_', 2)[0] for path in folder.iterdir()}
  assert pictures == {'confusion', 'images_and_reconstructions'}
  for path in folder.iterdir():
    assert np.asarray(Image.open(path)).std() > 10


def test_without_the_package_one_line_names_the_extra(tmp_path):
  words = (*WORDS, '--workdir', str(tmp_path / 'run'))
  done = beside(_run_without_wandb, words)
  assert "pip install 'capsjax[wandb]'" in done.refusal
  assert not (tmp_path / 'run').exists()


def test_a_folder_of_the_same_name_is_not_the_package(tmp_path, monkeypatch):
  (tmp_path / 'wandb').mkdir()
  monkeypatch.setattr(sys, 'path', [str(tmp_path)])
  monkeypatch.delitem(sys.modules, 'wandb', raising=False)
  monkeypatch.setattr(sys, 'path_importer_cache', {})
  with pytest.raises(UserError, match=r'capsjax\[wandb\]'):
    open_writers(
      RunFolder(tmp_path),
      Config(tracking='wandb'),
      resume_step=0,
      steps_per_epoch=1,
    )


def test_without_a_login_nothing_is_trained(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  monkeypatch.setenv('WANDB_SILENT', 'true')
  # It would tell a server of the error, and complain that there is none.
  monkeypatch.setenv('WANDB_ERROR_REPORTING', 'false')
  for name in ('WANDB_API_KEY', 'WANDB_MODE', 'NETRC'):
    monkeypatch.delenv(name, raising=False)
  done = finish(start(*WORDS, '--workdir', tmp_path / 'run'))
  assert 'WANDB_MODE=offline' in done.refusal
  assert (tmp_path / 'run' / 'metrics.jsonl').read_text() == ''


def test_tensorboard_has_one_row_of_hyperparameters_and_the_result(tracked):
  (values,), ((result,),) = hyperparameters_shown(tracked)
  assert values['num_epochs'] == 2
  assert values['model.conv_kernel_size'] == '(3, 3)'
  assert values['diagnostics'] is False
  errors = [n for _, name, n in scalars_shown(tracked) if name == result]
  lines = (tracked / 'metrics.jsonl').read_text().splitlines()
  accuracies = [
    line['test/accuracy'] for line in map(json.loads, lines) if result in line
  ]
  assert errors == pytest.approx([100 * (1 - a) for a in accuracies])
  assert len(errors) == 2
  # A folder with events would be another run.
  folders = {path.name for path in tracked.iterdir() if path.is_dir()}
  assert folders == {'checkpoints', 'wandb'}


def test_what_is_not_a_number_is_not_logged(tmp_path):
  beside(_write_infinity, tmp_path)
  (path,) = logs(tmp_path)
  _, _, history = read_run(path)
  assert {k: v for k, v in history[3].items() if k[0] != '_'} == {'loss': 0.5}


def _write_infinity(folder):
  with mock.patch.dict(os.environ, OFFLINE):
    writers = open_writers(
      RunFolder(folder),
      Config(tracking='wandb'),
      resume_step=0,
      steps_per_epoch=1,
    )
    with writers:
      writers.write_scalars(3, {'loss': 0.5, 'norm': float('inf')})
