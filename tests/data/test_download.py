import hashlib
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from capsjax.data.formats.download import data_folder, fetch

NAME = 'train-images-idx3-ubyte.gz'
DATA = np.random.default_rng(0).bytes(1 << 21)
SHA256 = hashlib.sha256(DATA).hexdigest()


def leftovers(folder):
  return sorted(path.name for path in folder.iterdir())


def test_a_file_is_fetched_with_progress(tmp_path, server, capfd):
  server.files[NAME] = DATA
  folder = tmp_path / 'new' / 'mnist'
  fetch({NAME: SHA256}, mirrors=[server.url], folder=folder)
  assert leftovers(folder) == [NAME]
  assert (folder / NAME).read_bytes() == DATA
  output = capfd.readouterr()
  assert '100%' in output.err
  assert not output.out


def test_a_file_that_is_there_is_not_fetched(tmp_path, server):
  (tmp_path / NAME).write_bytes(DATA)
  fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path)
  assert not server.requests


def test_mirrors_are_tried_in_turn(tmp_path, server):
  server.files |= {f'bad/{NAME}': b'an error page', f'good/{NAME}': DATA}
  mirrors = [f'{server.url}{path}/' for path in ('none', 'bad', 'good')]
  fetch({NAME: SHA256}, mirrors=mirrors, folder=tmp_path)
  assert (tmp_path / NAME).read_bytes() == DATA
  assert server.requests == [
    f'{path}/{NAME}' for path in ('none', 'bad', 'good')
  ]


def test_no_network_says_what_to_do(tmp_path, server, user_error):
  # Nothing listens on this port.
  files = {NAME: SHA256, 'other.gz': SHA256}
  with user_error(
    f'cannot download {NAME}',
    'http://127.0.0.1:9/ cannot be reached',
    f'put {NAME}, other.gz into {tmp_path}',
    'configs/digits.py',
  ):
    fetch(files, mirrors=['http://127.0.0.1:9/'], folder=tmp_path)
  assert not leftovers(tmp_path)


def test_only_what_is_missing_is_asked_for(tmp_path, server, user_error):
  server.files[NAME] = DATA
  files = {NAME: SHA256, 'other.gz': SHA256}
  with user_error('cannot download other.gz', '404', 'put other.gz into'):
    fetch(files, mirrors=[server.url], folder=tmp_path)
  assert leftovers(tmp_path) == [NAME]


def test_a_wrong_checksum_is_refused(tmp_path, server, user_error):
  server.files[NAME] = DATA[:-1] + b'?'
  with user_error(NAME, server.url, 'another SHA-256', tmp_path):
    fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path)
  assert not leftovers(tmp_path)


def test_a_connection_that_breaks_leaves_nothing(tmp_path, server, user_error):
  server.files[NAME] = DATA
  server.cut = True
  with user_error(NAME, server.url, 'cannot be reached'):
    fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path)
  assert not leftovers(tmp_path)


def test_a_killed_download_is_not_taken_for_data(tmp_path, server, repository):
  server.files[NAME] = DATA
  server.stall = True
  code = (
    'import pathlib, sys; from capsjax.data.formats.download import fetch\n'
    'name, sha256, url, folder = sys.argv[1:]\n'
    'fetch({name: sha256}, mirrors=[url], folder=pathlib.Path(folder))'
  )
  process = subprocess.Popen(
    [sys.executable, '-c', code, NAME, SHA256, server.url, str(tmp_path)],
    cwd=repository,
    stderr=subprocess.DEVNULL,
  )
  deadline = time.monotonic() + 60
  while not any(path.stat().st_size for path in tmp_path.iterdir()):
    assert process.poll() is None, 'ended by itself'
    assert time.monotonic() < deadline, 'nothing arrived'
    time.sleep(0.02)
  process.send_signal(signal.SIGKILL)
  process.wait()
  assert not (tmp_path / NAME).exists()
  server.stall = False
  fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path)
  assert (tmp_path / NAME).read_bytes() == DATA


def test_a_folder_that_cannot_be_made_is_told(tmp_path, server, user_error):
  (tmp_path / 'mnist').write_text('a file')
  with user_error('cannot make', tmp_path / 'mnist', 'data_dir'):
    fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path / 'mnist')


def test_a_file_that_cannot_be_written_is_told(
  tmp_path, server, user_error, monkeypatch
):
  server.files[NAME] = DATA

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr('shutil.move', full)
  with user_error(f'cannot write {NAME}', tmp_path, 'No space left'):
    fetch({NAME: SHA256}, mirrors=[server.url], folder=tmp_path)


def test_a_given_folder_must_exist(tmp_path, user_error):
  assert data_folder(tmp_path) == data_folder(str(tmp_path)) == tmp_path
  with user_error(tmp_path / 'none', 'does not exist', 'data_dir'):
    data_folder(tmp_path / 'none')
  (tmp_path / 'file').write_text('')
  with user_error(tmp_path / 'file', 'is not a folder', 'data_dir'):
    data_folder(tmp_path / 'file')
  assert leftovers(tmp_path) == ['file']


def test_home_is_written_out(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  (tmp_path / 'data').mkdir()
  assert data_folder('~/data') == tmp_path / 'data'


@pytest.mark.parametrize('data_dir', [None, ''])
def test_the_default_folder_is_in_the_cache(tmp_path, monkeypatch, data_dir):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'xdg'))
  assert data_folder(data_dir) == tmp_path / 'xdg' / 'capsjax' / 'data'
  monkeypatch.delenv('XDG_CACHE_HOME')
  monkeypatch.setenv('HOME', str(tmp_path))
  folder = data_folder(data_dir)
  assert folder == tmp_path / '.cache' / 'capsjax' / 'data'
  assert folder.is_dir()


def test_a_default_folder_that_cannot_be_made(
  tmp_path, monkeypatch, user_error
):
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'file'))
  with user_error('cannot make', tmp_path / 'file', 'data_dir'):
    data_folder(None)
