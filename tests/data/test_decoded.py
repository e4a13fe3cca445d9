import os
import stat

import numpy as np
import pytest

from capsjax.data.formats import decoded


class Decoder:
  """Counts its calls."""

  def __init__(self):
    self.calls = 0

  def __call__(self):
    self.calls += 1
    return {'images': np.arange(12, dtype=np.uint8).reshape(1, 4, 3)}


@pytest.fixture
def records(tmp_path):
  (tmp_path / 'records-0').write_bytes(b'one')
  (tmp_path / 'records-1').write_bytes(b'two')
  return tmp_path


def test_decodes_once(records):
  decode = Decoder()
  for _ in range(3):
    arrays = decoded.cached(records, decode)
    assert list(arrays) == ['images']
    assert arrays['images'].dtype == np.uint8
    np.testing.assert_array_equal(arrays['images'], Decoder()()['images'])
  assert decode.calls == 1
  assert sorted(os.listdir(records)) == [
    'capsjax.npz',
    'records-0',
    'records-1',
  ]


def change_content(records):
  (records / 'records-0').write_bytes(b'ONE')
  # Changes the time even if both writes fall into one tick of the clock.
  os.utime(records / 'records-0', ns=(0, 0))


def change_size(records):
  stat = (records / 'records-0').stat()
  (records / 'records-0').write_bytes(b'longer')
  os.utime(records / 'records-0', ns=(stat.st_atime_ns, stat.st_mtime_ns))


def add_file(records):
  (records / 'records-2').write_bytes(b'three')


def remove_file(records):
  (records / 'records-1').unlink()


@pytest.mark.parametrize(
  'change', [change_content, change_size, add_file, remove_file]
)
def test_a_stale_cache_is_not_used(records, change):
  decode = Decoder()
  decoded.cached(records, decode)
  change(records)
  decoded.cached(records, decode)
  assert decode.calls == 2
  decoded.cached(records, decode)
  assert decode.calls == 2


def test_a_damaged_cache_is_not_used(records):
  expected = decoded.cached(records, Decoder())['images']
  path = records / 'capsjax.npz'
  whole = path.read_bytes()
  damaged = [whole[:size] for size in range(0, len(whole), 7)]
  damaged += [b'', b'not a zip file', b'\x80\x04.', b'\x93NUMPY']
  for data in damaged:
    path.write_bytes(data)
    decode = Decoder()
    decoded.cached(records, decode)
    assert decode.calls == 1
  for place in range(0, len(whole), 3):
    data = bytearray(whole)
    data[place] ^= 0xFF
    path.write_bytes(data)
    arrays = decoded.cached(records, Decoder())
    np.testing.assert_array_equal(arrays['images'], expected)


@pytest.mark.parametrize(
  ('umask', 'mode'), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)]
)
def test_the_cache_may_be_read_by_whom_a_new_file_may(records, umask, mode):
  before = os.umask(umask)
  try:
    decoded.cached(records, Decoder())
  finally:
    os.umask(before)
  path = records / 'capsjax.npz'
  assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_write_that_is_cut_off_leaves_no_cache(records, monkeypatch):
  save = np.savez

  def cut_off(file, **arrays):
    save(file, **arrays)
    file.truncate(100)
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(np, 'savez', cut_off)
  arrays = decoded.cached(records, Decoder())
  assert arrays['images'].shape == (1, 4, 3)
  assert sorted(os.listdir(records)) == ['records-0', 'records-1']


def test_a_killed_write_is_neither_used_nor_in_the_way(records, monkeypatch):
  save = np.savez

  def killed(file, **arrays):
    save(file, **arrays)
    file.truncate(100)
    raise KeyboardInterrupt

  with monkeypatch.context() as patch:
    patch.setattr(np, 'savez', killed)
    with pytest.raises(KeyboardInterrupt):
      decoded.cached(records, Decoder())
  assert not (records / 'capsjax.npz').exists()
  decode = Decoder()
  decoded.cached(records, decode)
  decoded.cached(records, decode)
  assert decode.calls == 1
