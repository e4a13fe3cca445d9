"""Metrics on disk, read back by an independent reader."""

import io
import json
import os
import signal
import struct
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from capsjax.errors import UserError
from capsjax.runs.folder import RunFolder
from capsjax.runs.metrics_file import MetricsWriter, NullWriter


def read_lines(directory):
  text = (directory / 'metrics.jsonl').read_text()
  assert text.endswith('\n') or not text
  return [json.loads(line) for line in text.splitlines()]


def crc32c(content):
  """Computes the CRC-32C (Castagnoli), bit by bit."""
  crc = 0xFFFFFFFF
  for byte in content:
    crc ^= byte
    for _ in range(8):
      crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
  return crc ^ 0xFFFFFFFF


def masked_crc32c(content):
  crc = crc32c(content)
  return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_records(path):
  """Reads the records of a TFRecord file and tests their checksums."""
  stream = io.BytesIO(path.read_bytes())
  while header := stream.read(8):
    assert struct.unpack('<I', stream.read(4)) == (masked_crc32c(header),)
    content = stream.read(*struct.unpack('<Q', header))
    assert struct.unpack('<I', stream.read(4)) == (masked_crc32c(content),)
    yield content


def read_events(directory):
  """Reads events as TensorBoard does: later files purge earlier events."""
  from tensorboardX.proto.event_pb2 import Event, SessionLog

  shown = []
  for path in sorted(directory.glob('events.out.tfevents.*')):
    for record in read_records(path):
      event = Event.FromString(record)
      if event.session_log.status == SessionLog.START:
        shown = [old for old in shown if old.step < event.step]
      if event.HasField('summary'):
        shown.append(event)
  return shown


def scalars_shown(directory):
  return [
    (event.step, value.tag, value.simple_value)
    for event in read_events(directory)
    for value in event.summary.value
    if value.HasField('simple_value')
  ]


def test_scalars(tmp_path):
  with MetricsWriter(RunFolder(tmp_path / 'run'), steps_per_epoch=8) as writer:
    writer.write_scalars(
      2, {'train/loss': 0.5, 'train/accuracy': np.float32(1)}
    )
    writer.write_scalars(4, {'test/loss': jnp.asarray(0.25)})
  assert read_lines(tmp_path / 'run') == [
    {'step': 2, 'epoch': 0.25, 'train/loss': 0.5, 'train/accuracy': 1.0},
    {'step': 4, 'epoch': 0.5, 'test/loss': 0.25},
  ]
  assert scalars_shown(tmp_path / 'run') == [
    (2, 'train/loss', 0.5),
    (2, 'train/accuracy', 1.0),
    (4, 'test/loss', 0.25),
  ]


def test_numbers_that_are_not_finite_are_still_json(tmp_path):
  with MetricsWriter(RunFolder(tmp_path)) as writer:
    writer.write_scalars(1, {'loss': float('nan'), 'norm': float('inf')})
  assert read_lines(tmp_path) == [{'step': 1, 'loss': None, 'norm': None}]


def test_a_line_is_on_disk_when_written(tmp_path, repository):
  code = (
    'import sys, os, signal\n'
    'from pathlib import Path\n'
    'from capsjax.runs import MetricsWriter, RunFolder\n'
    'writer = MetricsWriter(RunFolder(Path(sys.argv[1])))\n'
    'writer.write_scalars(1, {"loss": 0.5})\n'
    'os.kill(os.getpid(), signal.SIGKILL)\n'
  )
  process = subprocess.run(
    [sys.executable, '-c', code, str(tmp_path)], cwd=repository
  )
  assert process.returncode == -signal.SIGKILL
  assert read_lines(tmp_path) == [{'step': 1, 'loss': 0.5}]


def test_resumed_run_writes_nothing_twice(tmp_path):
  with MetricsWriter(RunFolder(tmp_path)) as writer:
    for step in range(1, 6):
      writer.write_scalars(step, {'loss': step})
  with (tmp_path / 'metrics.jsonl').open('a') as file:
    file.write(
      '{"step": 2, "loss": 0}'
    )  # A half-written line has no line break.
  with MetricsWriter(RunFolder(tmp_path), resume_step=3) as writer:
    writer.write_scalars(4, {'loss': 40})
    writer.write_scalars(5, {'loss': 50})
  expected = [(1, 1), (2, 2), (3, 3), (4, 40), (5, 50)]
  assert read_lines(tmp_path) == [
    {'step': step, 'loss': loss} for step, loss in expected
  ]
  assert scalars_shown(tmp_path) == [
    (step, 'loss', loss) for step, loss in expected
  ]


def test_lines_that_are_no_metrics_are_dropped(tmp_path):
  whole = b'{"step": 1, "loss": 1.0}\n'
  (tmp_path / 'metrics.jsonl').write_bytes(
    b'[]\n{"loss": 2}\n\xff\xfe\n' + whole + b'\x00\x00\n{"step": "x"}\n'
  )
  MetricsWriter(RunFolder(tmp_path), resume_step=9).close()
  assert (tmp_path / 'metrics.jsonl').read_bytes() == whole


def test_a_kill_while_resuming_loses_nothing(tmp_path, monkeypatch):
  with MetricsWriter(RunFolder(tmp_path)) as writer:
    writer.write_scalars(1, {'loss': 1})
    writer.write_scalars(2, {'loss': 2})

  def killed(*_):
    raise KeyboardInterrupt

  monkeypatch.setattr(os, 'replace', killed)
  with pytest.raises(KeyboardInterrupt):
    MetricsWriter(RunFolder(tmp_path), resume_step=1)
  assert [line['step'] for line in read_lines(tmp_path)] == [1, 2]


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_images(tmp_path, channels, dtype):
  image = np.arange(4 * 5 * channels).reshape(4, 5, channels).astype(np.uint8)
  given = image if dtype == np.uint8 else (image - 0.3).astype(dtype) / 255
  with MetricsWriter(RunFolder(tmp_path)) as writer:
    writer.write_images(7, {'test/reconstructions': given})
  [event] = read_events(tmp_path)
  [value] = event.summary.value
  assert (event.step, value.tag) == (7, 'test/reconstructions')
  shown = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
  np.testing.assert_array_equal(shown, np.broadcast_to(image, (4, 5, 3)))


def test_null_writer_writes_nothing(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  with NullWriter() as writer:
    writer.write_scalars(1, {'loss': 1.0})
    writer.write_images(1, {'image': np.zeros((2, 2, 1))})
  assert not list(tmp_path.iterdir())
  missing = {name for name in vars(MetricsWriter) if name[0] != '_'} - set(
    vars(NullWriter)
  )
  assert not missing


def test_unwritable_folder(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write .*another --workdir'):
    MetricsWriter(RunFolder(tmp_path / 'file' / 'run'))
