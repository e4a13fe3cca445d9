"""`metrics.jsonl`, read back."""

import json
import os
import signal
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from capsjax.errors import UserError
from capsjax.runs.folder import RunFolder
from capsjax.runs.metrics_file import MetricsFile
from capsjax.runs.writers import Writers


def read_lines(directory):
  text = (directory / 'metrics.jsonl').read_text()
  assert text.endswith('\n') or not text
  return [json.loads(line) for line in text.splitlines()]


def open_file(directory, **fields):
  return Writers([MetricsFile(RunFolder(directory), **fields)])


def test_scalars(tmp_path):
  with open_file(tmp_path / 'run', steps_per_epoch=8) as writer:
    writer.write_scalars(
      2, {'train/loss': 0.5, 'train/accuracy': np.float32(1)}
    )
    writer.write_scalars(4, {'test/loss': jnp.asarray(0.25)})
  assert read_lines(tmp_path / 'run') == [
    {'step': 2, 'epoch': 0.25, 'train/loss': 0.5, 'train/accuracy': 1.0},
    {'step': 4, 'epoch': 0.5, 'test/loss': 0.25},
  ]


def test_numbers_that_are_not_finite_are_still_json(tmp_path):
  with open_file(tmp_path) as writer:
    writer.write_scalars(1, {'loss': float('nan'), 'norm': float('inf')})
  assert read_lines(tmp_path) == [{'step': 1, 'loss': None, 'norm': None}]


def test_a_line_is_on_disk_when_written(tmp_path, repository):
  code = (
    'import sys, os, signal\n'
    'from pathlib import Path\n'
    'from capsjax.runs.folder import RunFolder\n'
    'from capsjax.runs.metrics_file import MetricsFile\n'
    'writer = MetricsFile(RunFolder(Path(sys.argv[1])))\n'
    'writer.write_scalars(1, {"loss": 0.5})\n'
    'os.kill(os.getpid(), signal.SIGKILL)\n'
  )
  process = subprocess.run(
    [sys.executable, '-c', code, str(tmp_path)], cwd=repository
  )
  assert process.returncode == -signal.SIGKILL
  assert read_lines(tmp_path) == [{'step': 1, 'loss': 0.5}]


def test_resumed_run_writes_nothing_twice(tmp_path):
  with open_file(tmp_path) as writer:
    for step in range(1, 6):
      writer.write_scalars(step, {'loss': step})
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write(
      '{"step": 2, "loss": 0}'
    )  # A half-written line has no line break.
  with open_file(tmp_path, resume_step=3) as writer:
    writer.write_scalars(4, {'loss': 40})
    writer.write_scalars(5, {'loss': 50})
  expected = [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50)]
  assert read_lines(tmp_path) == [
    {'step': step, 'loss': loss} for step, loss in expected
  ]


def test_lines_that_are_no_metrics_are_dropped(tmp_path):
  whole = b'{"step": 1, "loss": 1.0}\n'
  (tmp_path / 'metrics.jsonl').write_bytes(
    b'[]\n{"loss": 2}\n\xff\xfe\n' + whole + b'\x00\x00\n{"step": "x"}\n'
  )
  open_file(tmp_path, resume_step=9).close()
  assert (tmp_path / 'metrics.jsonl').read_bytes() == whole


def test_a_kill_while_resuming_loses_nothing(tmp_path, monkeypatch):
  with open_file(tmp_path) as writer:
    writer.write_scalars(1, {'loss': 1})
    writer.write_scalars(2, {'loss': 2})

  def killed(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(os, 'replace', killed)
  with pytest.raises(KeyboardInterrupt):
    open_file(tmp_path, resume_step=1)
  assert [line['step'] for line in read_lines(tmp_path)] == [1, 2]


def test_no_writer_writes_nothing(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with Writers() as writer:
    writer.write_scalars(1, {'loss': 1.0})
    writer.write_images(1, {'image': np.zeros((2, 2, 1))})
  assert not list(tmp_path.iterdir())


def test_all_writers_are_closed_even_if_one_fails(tmp_path):
  closed = []

  class Broken(MetricsFile):
    def close(self):
      super().close()
      closed.append(self)
      raise OSError

  folders = [RunFolder(tmp_path / name) for name in 'ab']
  with pytest.raises(OSError):
    Writers([Broken(folder) for folder in folders]).close()
  assert len(closed) == 2


def test_unwritable_folder(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write .*another --workdir'):
    open_file(tmp_path / 'file' / 'run')
