"""Only one process at a time writes into the folder of a run."""

import dataclasses
import signal
import subprocess
import sys

import pytest

from capsjax.errors import UserError
from capsjax.runs import Experiment, RunFolder, configuration, train_run
from tests.conftest import REPOSITORY

CLAIM = """
import sys, time
from pathlib import Path
from capsjax.runs import Experiment, RunFolder, configuration, train_run

with RunFolder(Path(sys.argv[1])).claimed():
  print('claimed', flush=True)
  time.sleep(600)
"""


def test_another_process_is_kept_out_until_it_ends(tmp_path):
  workdir = tmp_path / 'new' / 'run'
  other = subprocess.Popen(
    [sys.executable, '-c', CLAIM, str(workdir)],
    cwd=REPOSITORY,
    stdout=subprocess.PIPE,
    text=True,
  )
  with other:
    assert other.stdout.readline() == 'claimed\n'
    with (
      pytest.raises(UserError, match='another process is training in .*run'),
      RunFolder(workdir).claimed(),
    ):
      pass
    assert RunFolder(workdir).is_claimed()
    other.send_signal(signal.SIGKILL)
  with RunFolder(workdir).claimed():
    assert RunFolder(workdir).is_claimed()
  assert not RunFolder(workdir).is_claimed()


def test_a_folder_is_free_again_after_an_error(tmp_path):
  with pytest.raises(ZeroDivisionError), RunFolder(tmp_path).claimed():
    _ = 1 / 0
  with RunFolder(tmp_path).claimed():
    pass


def test_a_mistake_leaves_no_new_folder(tmp_path):
  made, there = tmp_path / 'made', tmp_path / 'there'
  there.mkdir()
  for path in (made, there):
    with pytest.raises(ZeroDivisionError), RunFolder(path).claimed():
      _ = 1 / 0
  assert not made.exists()
  assert there.exists(), 'it was not ours'
  with RunFolder(made).claimed():
    (made / 'metrics.jsonl').touch()
  assert (made / 'metrics.jsonl').exists()


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
  (tmp_path / 'file').touch()
  with (
    pytest.raises(UserError, match='cannot write into .*choose another'),
    RunFolder(tmp_path / 'file' / 'run').claimed(),
  ):
    pass


def test_a_run_that_another_began_meanwhile_is_kept(tmp_path, monkeypatch):
  """Another process may start and finish a run while the data are read."""
  config = configuration.load_config(REPOSITORY / 'configs' / 'digits.py')
  theirs = dataclasses.replace(config, seed=7)
  folder, create = RunFolder(tmp_path / 'run'), Experiment.create

  def create_late(config, dataset):
    configuration.save_config(theirs, folder.config)
    return create(config, dataset)

  monkeypatch.setattr(Experiment, 'create', create_late)
  with pytest.raises(UserError, match='holds a run with seed=7, not 0'):
    train_run(config, folder.path)
  assert configuration.load_config(folder.config) == theirs
  assert not folder.is_claimed()
