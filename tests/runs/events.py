"""Reads TensorBoard's events without the library that wrote them."""

import io
import struct


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


def hyperparameters_shown(directory):
  """Returns all hyperparameters and metric names, in the order of the files."""
  from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

  starts, metrics = [], []
  for event in read_events(directory):
    for value in event.summary.value:
      data = value.metadata.plugin_data
      if data.plugin_name == 'hparams':
        content = HParamsPluginData.FromString(data.content)
        if content.HasField('session_start_info'):
          found = content.session_start_info.hparams
          starts.append({k: _value_of(v) for k, v in found.items()})
        if content.HasField('experiment'):
          found = content.experiment.metric_infos
          metrics.append([info.name.tag for info in found])
  return starts, metrics


def _value_of(value):
  return getattr(value, value.WhichOneof('kind'))
