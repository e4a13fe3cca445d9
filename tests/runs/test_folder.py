"""One process at a time writes into the folder of a run."""

import signal
import subprocess
import sys

import pytest
from ml_collections import ConfigDict

from capsjax.errors import UserError
from capsjax.runs import configuration
from capsjax.runs.folder import claimed
from tests.conftest import REPOSITORY

CLAIM = """
import sys, time
from pathlib import Path
from ml_collections import ConfigDict
from capsjax.runs.folder import claimed

with claimed(Path(sys.argv[1]), ConfigDict({'seed': 1})):
  print('claimed', flush=True)
  time.sleep(600)
"""


def seed_in(workdir):
  return configuration._read_json(workdir / configuration.FILE_NAME).seed


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
      claimed(workdir, ConfigDict({'seed': 2})),
    ):
      pass
    assert seed_in(workdir) == 1
    other.send_signal(signal.SIGKILL)
  with claimed(workdir, ConfigDict({'seed': 2})):
    assert seed_in(workdir) == 2


def test_a_folder_is_free_again_after_an_error(tmp_path):
  with pytest.raises(ZeroDivisionError), claimed(tmp_path, ConfigDict()):
    _ = 1 / 0
  with claimed(tmp_path, ConfigDict()):
    pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
  (tmp_path / 'file').touch()
  with (
    pytest.raises(UserError, match='cannot write into .*choose another'),
    claimed(tmp_path / 'file' / 'run', ConfigDict()),
  ):
    pass
