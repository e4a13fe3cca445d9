import shutil

import numpy as np
import pytest

from capsjax.data import load_fashion_mnist, load_mnist

# Nothing listens there, so a load that needs the network fails at once.
NO_MIRRORS = ('http://127.0.0.1:9/',)
LOADERS = {'mnist': load_mnist, 'fashion_mnist': load_fashion_mnist}


def load(folder, name='mnist', mirrors=NO_MIRRORS):
  return LOADERS[name](data_dir=folder, mirrors=mirrors)


def assert_holds(dataset, arrays):
  for part, split in (('train', dataset.train), ('t10k', dataset.test)):
    images = arrays[f'{part}-images-idx3-ubyte']
    labels = arrays[f'{part}-labels-idx1-ubyte']
    np.testing.assert_array_equal(split.images, images[..., None])
    np.testing.assert_array_equal(split.labels, labels)


@pytest.mark.parametrize('name', LOADERS)
@pytest.mark.parametrize('suffix', ['.gz', ''])
@pytest.mark.parametrize('nested', [True, False])
def test_files_are_found(tmp_path, write_idx_set, name, suffix, nested):
  folder = tmp_path / name if nested else tmp_path
  arrays = write_idx_set(folder, suffix=suffix)
  dataset = load(tmp_path, name)
  assert_holds(dataset, arrays)
  assert dataset.name == name
  assert dataset.num_classes == 10
  assert dataset.validation is None
  assert dataset.image_shape == (6, 4, 1)
  assert dataset.train.images.dtype == np.uint8
  assert dataset.train.labels.dtype == np.int32


def test_some_files_may_be_unpacked(tmp_path, write_idx, write_idx_set):
  arrays = write_idx_set(tmp_path)
  for name in ('train-images-idx3-ubyte', 't10k-labels-idx1-ubyte'):
    (tmp_path / f'{name}.gz').unlink()
    write_idx(tmp_path / name, arrays[name])
  assert_holds(load(tmp_path), arrays)


def test_the_folder_of_that_name_comes_first(tmp_path, write_idx_set):
  write_idx_set(tmp_path, seed=1)
  arrays = write_idx_set(tmp_path / 'mnist', seed=2)
  assert_holds(load(tmp_path), arrays)


def test_two_folders_are_not_mixed(tmp_path, write_idx_set):
  arrays = write_idx_set(tmp_path, seed=1)
  write_idx_set(tmp_path / 'mnist', seed=2)
  (tmp_path / 'mnist' / 't10k-labels-idx1-ubyte.gz').unlink()
  assert_holds(load(tmp_path), arrays)


@pytest.mark.parametrize('nested', [True, False])
def test_own_files_are_not_completed(
  tmp_path, write_idx_set, user_error, server, nested
):
  folder = tmp_path / 'mnist' if nested else tmp_path
  write_idx_set(folder)
  (folder / 't10k-labels-idx1-ubyte.gz').unlink()
  with user_error(f'{folder} lacks t10k-labels-idx1-ubyte.gz'):
    load(tmp_path, mirrors=[server.url])
  assert not server.requests


def test_no_files_and_no_network(tmp_path, user_error):
  with user_error(
    'cannot download train-images-idx3-ubyte.gz',
    't10k-labels-idx1-ubyte.gz',
    f'into {tmp_path / "fashion_mnist"}',
    'configs/digits.py',
  ):
    load(tmp_path, 'fashion_mnist')


def test_a_missing_folder_is_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'does not exist'):
    load(tmp_path / 'none')
  assert not (tmp_path / 'none').exists()


def test_counts_that_differ_are_told(
  tmp_path, write_idx, write_idx_set, user_error
):
  write_idx_set(tmp_path)
  path = tmp_path / 't10k-labels-idx1-ubyte.gz'
  write_idx(path, np.zeros(12, np.uint8))
  images = tmp_path / 't10k-images-idx3-ubyte.gz'
  with user_error(images, path.name, '5 images but 12 labels'):
    load(tmp_path)


def test_labels_out_of_range_are_told(
  tmp_path, write_idx, write_idx_set, user_error
):
  write_idx_set(tmp_path)
  path = tmp_path / 'train-labels-idx1-ubyte.gz'
  write_idx(path, np.arange(12, dtype=np.uint8))
  with user_error(path.name, 'labels run from 0 to 11'):
    load(tmp_path)


def test_sizes_that_differ_are_told(
  tmp_path, write_idx, write_idx_set, user_error
):
  write_idx_set(tmp_path)
  path = tmp_path / 't10k-images-idx3-ubyte.gz'
  write_idx(path, np.zeros((5, 4, 6), np.uint8))
  with user_error('mnist', '(6, 4, 1)', '(4, 6, 1)'):
    load(tmp_path)


def test_a_damaged_file_is_told_not_replaced(
  tmp_path, write_idx_set, user_error, server
):
  write_idx_set(tmp_path)
  path = tmp_path / 'train-images-idx3-ubyte.gz'
  path.write_bytes(path.read_bytes()[:-20])
  with user_error(path, 'damaged'):
    load(tmp_path, mirrors=[server.url])
  assert not server.requests


def test_an_unreadable_file_beside_a_missing_one(tmp_path, user_error):
  (tmp_path / 'train-images-idx3-ubyte').mkdir()
  with user_error('cannot read', tmp_path / 'train-images-idx3-ubyte'):
    load(tmp_path)


def test_a_download_with_other_content_is_refused(
  tmp_path, write_idx_set, user_error, server
):
  write_idx_set(tmp_path / 'served')
  for path in (tmp_path / 'served').iterdir():
    server.files[path.name] = path.read_bytes()
  (tmp_path / 'data').mkdir()
  with user_error('train-images-idx3-ubyte.gz', 'another SHA-256'):
    load(tmp_path / 'data', mirrors=[server.url])
  assert not list((tmp_path / 'data' / 'mnist').iterdir())


@pytest.mark.parametrize(
  ('name', 'mean', 'std', 'test_mean'),
  [
    ('mnist', 0.1307, 0.3081, 0.1325),
    ('fashion_mnist', 0.2860, 0.3530, 0.2868),
  ],
)
def test_real_sets(shared_data, name, mean, std, test_mean):
  dataset = load(shared_data, name)
  assert (len(dataset.train), len(dataset.test)) == (60000, 10000)
  assert dataset.image_shape == (28, 28, 1)
  train = dataset.train.images
  assert train.mean() / 255 == pytest.approx(mean, abs=5e-5)
  assert train.std() / 255 == pytest.approx(std, abs=5e-5)
  assert dataset.test.images.mean() / 255 == pytest.approx(test_mean, abs=5e-5)


@pytest.mark.parametrize('name', LOADERS)
def test_real_sets_are_downloaded(tmp_path, shared_data, server, name):
  served = sorted((shared_data / name).glob('*ubyte.gz'))
  server.files |= {path.name: path.read_bytes() for path in served}
  dataset = load(tmp_path, name, mirrors=[server.url])
  assert len(dataset.train) == 60000
  assert sorted(server.requests) == [path.name for path in served]
  assert sorted((tmp_path / name).iterdir()) == [
    tmp_path / name / path.name for path in served
  ]
  # The second time, the network is not needed.
  assert len(load(tmp_path, name).test) == 10000
  # After a download that stopped between two files, only the rest is fetched.
  (tmp_path / name / served[0].name).unlink()
  server.requests.clear()
  load(tmp_path, name, mirrors=[server.url])
  assert server.requests == [served[0].name]


@pytest.mark.parametrize('packed', [True, False])
def test_one_set_does_not_pass_for_the_other(
  tmp_path, shared_data, write_idx_set, write_idx, user_error, packed
):
  if packed:
    for path in (shared_data / 'mnist').glob('*ubyte.gz'):
      shutil.copy(path, tmp_path)
  else:
    dataset = load(shared_data)
    arrays = write_idx_set(tmp_path, suffix='', size=(28, 28))
    assert len(arrays) == 4
    name = 't10k-images-idx3-ubyte'
    write_idx(tmp_path / name, dataset.test.images[..., 0])
    name = 't10k-labels-idx1-ubyte'
    write_idx(tmp_path / name, dataset.test.labels)
  with user_error('belongs to mnist, not to fashion_mnist'):
    load(tmp_path, 'fashion_mnist')
  assert len(load(tmp_path).test) == 10000
