import gzip

import numpy as np
import pytest

from capsjax.data.formats.idx import read_images, read_labels

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4) * 10
LABELS = np.array([3, 255, 0], np.uint8)
IMAGE_HEADER = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4])


@pytest.mark.parametrize('name', ['images', 'images.gz'])
def test_images_are_read(tmp_path, write_idx, name):
  images = read_images(write_idx(tmp_path / name, IMAGES))
  assert images.dtype == np.uint8
  assert images.shape == (2, 3, 4, 1)
  assert images[1, 2, 3, 0] == 230
  np.testing.assert_array_equal(images[..., 0], IMAGES)


@pytest.mark.parametrize('name', ['labels', 'labels.gz'])
def test_labels_are_read(tmp_path, write_idx, name):
  labels = read_labels(str(write_idx(tmp_path / name, LABELS)))
  assert labels.dtype == np.int32
  assert labels.tolist() == [3, 255, 0]


@pytest.mark.parametrize(
  ('data', 'trouble'),
  [
    (b'', 'is empty'),
    (b'\x00\x00\x08\x01' + IMAGE_HEADER[4:], 'not an IDX image file'),
    (b'\x00\x00\x0d\x03' + IMAGE_HEADER[4:], 'not an IDX image file'),
    (b'<!DOCTYPE html>', 'not an IDX image file'),
    (gzip.compress(IMAGE_HEADER + bytes(24), mtime=0), 'not an IDX image file'),
    (IMAGE_HEADER[:10], 'cut off in its header'),
    (
      IMAGE_HEADER + bytes(23),
      'holds 23 bytes of data, but its header says 24',
    ),
    (
      IMAGE_HEADER + bytes(25),
      'holds 25 bytes of data, but its header says 24',
    ),
    (IMAGE_HEADER[:4] + bytes(12), 'holds no images'),
    (IMAGE_HEADER[:8] + bytes(8), 'holds no images'),
    # Exceeds int64: must neither overflow nor be allocated.
    (IMAGE_HEADER[:4] + b'\xff' * 12, 'its header says 79228162458924105385'),
  ],
)
def test_damage_is_told(tmp_path, user_error, data, trouble):
  for name, content in (('x', data), ('x.gz', gzip.compress(data))):
    path = tmp_path / name
    path.write_bytes(content)
    with user_error(path, trouble):
      read_images(path)


def test_labels_are_not_images(tmp_path, write_idx, user_error):
  images = write_idx(tmp_path / 'images', IMAGES)
  labels = write_idx(tmp_path / 'labels', LABELS)
  with user_error(images, 'not an IDX label file', '0x00000803'):
    read_labels(images)
  with user_error(labels, 'not an IDX image file', '0x00000801'):
    read_images(labels)


@pytest.mark.parametrize('name', ['images', 'images.gz'])
def test_every_truncation_is_told(tmp_path, write_idx, user_error, name):
  path = write_idx(tmp_path / name, IMAGES)
  whole = path.read_bytes()
  for size in range(len(whole)):
    path.write_bytes(whole[:size])
    with user_error(path):
      read_images(path)


def test_no_flipped_byte_passes(tmp_path, write_idx, user_error):
  path = write_idx(tmp_path / 'images.gz', IMAGES)
  whole = path.read_bytes()
  # Readers ignore gzip's time stamp, extra flags and operating system.
  for place in (*range(4), *range(10, len(whole))):
    data = bytearray(whole)
    data[place] ^= 0xFF
    path.write_bytes(data)
    with user_error(path):
      read_images(path)


def test_unpacked_file_with_a_packed_name_is_told(tmp_path, user_error):
  path = tmp_path / 'images.gz'
  path.write_bytes(IMAGE_HEADER + bytes(24))
  with user_error(path, 'is not gzip', "drop '.gz'"):
    read_images(path)


def test_unreadable_files_are_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'cannot read', 'No such file'):
    read_images(tmp_path / 'none')
  with user_error(tmp_path, 'cannot read', 'Is a directory'):
    read_labels(tmp_path)


def test_real_mnist(shared_data):
  images = read_images(shared_data / 'mnist' / 'train-images-idx3-ubyte.gz')
  labels = read_labels(shared_data / 'mnist' / 'train-labels-idx1-ubyte.gz')
  assert images.shape == (60000, 28, 28, 1)
  assert images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
  assert images.std() / 255 == pytest.approx(0.3081, abs=5e-5)
  counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
  assert np.bincount(labels).tolist() == counts
  assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
