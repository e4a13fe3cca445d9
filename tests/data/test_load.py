import subprocess
import sys

import numpy as np
import pytest

from capsjax.data import load_dataset


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist'])
def test_idx_sets_by_name(tmp_path, write_idx_set, name):
  arrays = write_idx_set(tmp_path / name)
  write_idx_set(tmp_path / 'other', seed=1)
  dataset = load_dataset(name, data_dir=str(tmp_path))
  assert dataset.name == name
  assert dataset.validation is None
  np.testing.assert_array_equal(
    dataset.train.images[..., 0], arrays['train-images-idx3-ubyte']
  )


def test_digits_need_no_folder(tmp_path):
  dataset = load_dataset('digits', data_dir=str(tmp_path / 'none'))
  assert dataset.name == 'digits'
  assert not (tmp_path / 'none').exists()


def test_validation_images_are_held_out():
  whole = load_dataset('digits')
  parts = [
    load_dataset('digits', validation_size=100, seed=seed) for seed in (0, 0, 1)
  ]
  for part in parts:
    assert (len(part.train), len(part.validation)) == (1337, 100)
    np.testing.assert_array_equal(part.test.images, whole.test.images)
  images = [part.validation.images for part in parts]
  np.testing.assert_array_equal(images[0], images[1])
  assert (images[0] != images[2]).any()


def test_too_many_validation_images(user_error):
  with user_error('validation_size is 1437', '1437 training images'):
    load_dataset('digits', validation_size=1437)


@pytest.mark.parametrize(
  ('name', 'near'),
  [
    ('mnits', 'mnist'),
    ('fashion-mnist', 'fashion_mnist'),
    ('digit', 'digits'),
  ],
)
def test_unknown_names_get_the_nearest(tmp_path, user_error, name, near):
  with user_error(name, 'did you mean', near):
    load_dataset(name, data_dir=tmp_path)


def test_a_hopeless_name(tmp_path, user_error):
  with user_error('xqzw'):
    load_dataset('xqzw', data_dir=tmp_path)


def test_importing_loads_no_reader_of_formats(repository):
  code = (
    'import sys, capsjax.data\n'
    'heavy = {"PIL", "pooch", "requests", "sklearn", "tensorflow_datasets"}\n'
    'assert not heavy & set(sys.modules), heavy & set(sys.modules)'
  )
  process = subprocess.run(
    [sys.executable, '-c', code], cwd=repository, capture_output=True, text=True
  )
  assert process.returncode == 0, process.stderr
