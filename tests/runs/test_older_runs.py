"""Runs trained with an earlier version can be read and resumed."""

import json
import shutil

import pytest

from capsjax.runs import configuration
from tests.conftest import REPOSITORY
from tests.running import capsjax, finish, start

# Two epochs on the digits with a tiny network, trained in November 2026.
ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
ERROR = 16.39


@pytest.fixture
def workdir(tmp_path):
  shutil.unpack_archive(ARCHIVE, tmp_path)
  return tmp_path / 'run'


def test_fields_are_where_they_are_now(workdir):
  written = json.loads((workdir / 'config.json').read_text())
  assert written['model']['num_iterations'] == 3
  config = configuration.load_config(workdir / 'config.json')
  assert config.model.routing.num_iterations == 3
  assert config.model.conv_features == 2


def test_it_is_evaluated_as_it_was(workdir):
  (workdir / 'evaluation.json').unlink()
  done = capsjax('evaluate', '--workdir', workdir)
  assert done.status == 0, done.err
  found = json.loads((workdir / 'evaluation.json').read_text())
  assert found['error_percent'] == pytest.approx(ERROR, abs=0.01)


def test_it_is_read_by_devices_that_cannot_share_a_batch(workdir):
  words = ('evaluate', '--workdir', workdir, '--config.batch_size=33')
  done = finish(start(*words, devices=2))
  assert done.status == 0, done.err
  assert f'error                {ERROR:.2f}%' in done.out
  done = capsjax('--workdir', workdir, '--config.batch_size=33')
  assert 'batch_size=32, not 33' in done.refusal


def test_it_is_continued(workdir):
  done = capsjax('--workdir', workdir, '--config.num_epochs=3')
  assert done.status == 0, done.err
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  errors = {
    line['epoch']: 100 * (1 - line['test/accuracy'])
    for line in map(json.loads, lines)
    if 'test/accuracy' in line
  }
  assert set(errors) == {1, 2, 3}
  assert errors[2] == pytest.approx(ERROR, abs=0.01)
