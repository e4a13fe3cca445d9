"""Fixtures: small IDX files, a local web server, and expected errors."""

import contextlib
import gzip
import http.server
import struct
import threading

import numpy as np
import pytest

from capsjax.errors import UserError

IDX_FILES = (
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
)


def idx_bytes(array):
  header = struct.pack('>BBBB', 0, 0, 8, array.ndim)
  for size in array.shape:
    header += struct.pack('>I', size)
  return header + bytes(int(value) for value in array.reshape(-1))


@pytest.fixture
def write_idx():
  """Writes an array as IDX, gzipped if the path ends in `.gz`."""

  def write(path, array):
    data = idx_bytes(array)
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path

  return write


@pytest.fixture
def write_idx_set(write_idx):
  """Writes the four files of a small set; returns its arrays by file name."""

  def write(folder, *, suffix='.gz', seed=0, train=12, test=5, size=(6, 4)):
    rng = np.random.default_rng(seed)
    arrays = {}
    for part, count in (('train', train), ('t10k', test)):
      images = rng.integers(0, 256, (count, *size), np.uint8)
      arrays[f'{part}-images-idx3-ubyte'] = images
      arrays[f'{part}-labels-idx1-ubyte'] = rng.integers(0, 10, count, np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
      write_idx(folder / (name + suffix), array)
    return arrays

  return write


@pytest.fixture
def user_error():
  """Expects a one-line UserError that contains all the given parts."""

  @contextlib.contextmanager
  def expect(*parts):
    with pytest.raises(UserError) as caught:
      yield
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    for part in parts:
      assert str(part) in text

  return expect


class Server:
  """Serves files locally; can truncate them or stall in the middle."""

  def __init__(self, release):
    self.files = {}
    self.requests = []
    self.cut = False
    self.stall = False
    self.release = release
    self.url = ''

  def respond(self, handler):
    name = handler.path.lstrip('/')
    self.requests.append(name)
    if name not in self.files:
      handler.send_error(404)
      return
    data = self.files[name]
    handler.send_response(200)
    handler.send_header('Content-Length', str(len(data)))
    handler.end_headers()
    if not (self.cut or self.stall):
      handler.wfile.write(data)
      return
    handler.wfile.write(data[: len(data) // 2])
    handler.wfile.flush()
    if self.stall:
      self.release.wait(60)


@pytest.fixture
def server(monkeypatch):
  # A configured proxy could not reach the local server.
  monkeypatch.setenv('NO_PROXY', '127.0.0.1')
  monkeypatch.setenv('no_proxy', '127.0.0.1')
  release = threading.Event()
  server = Server(release)

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      server.respond(self)

    def log_message(self, *_):
      pass

  with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as httpd:
    server.url = f'http://127.0.0.1:{httpd.server_port}/'
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield server
    release.set()
    httpd.shutdown()
    thread.join()
