import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

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


@pytest.mark.parametrize('name', ['expanded_mnist', 'affine_mnist'])
def test_a_test_that_is_drawn_does_not_depend_on_the_seed(
  tmp_path, write_idx_set, name
):
  write_idx_set(tmp_path / 'mnist', size=(28, 28))
  first, second = (
    load_dataset(name, data_dir=tmp_path, validation_size=6, seed=seed)
    for seed in (0, 1)
  )
  assert first.name == name and first.image_shape == (40, 40, 1)
  np.testing.assert_array_equal(first.test.images, second.test.images)
  assert (first.train.images != second.train.images).any()


@pytest.mark.parametrize(
  ('name', 'missing'),
  [('affnist', 'affNIST is not in'), ('folder', 'no pictures')],
)
def test_files_that_only_the_user_has_are_asked_for(
  tmp_path, write_idx_set, user_error, name, missing
):
  write_idx_set(tmp_path, size=(28, 28))
  with user_error(missing, tmp_path):
    load_dataset(name, data_dir=tmp_path)


@pytest.mark.parametrize(
  ('name', 'files'),
  [
    ('svhn', ['train_32x32.mat', 'test_32x32.mat']),
    (
      'smallnorb',
      [
        f'smallnorb-{part}-{kind}.mat'
        for part in (
          '5x46789x9x18x6x2x96x96-training',
          '5x01235x9x18x6x2x96x96-testing',
        )
        for kind in ('dat', 'cat')
      ],
    ),
  ],
)
def test_sets_of_their_own_readers(tmp_path, user_error, name, files):
  """An error that names the damaged file shows that its reader was used."""
  for file in files:
    (tmp_path / file).write_bytes(b'nothing of the kind')
  with user_error(tmp_path / files[0]):
    load_dataset(name, data_dir=tmp_path)


def test_pictures_of_a_folder_are_given_a_form_and_a_seed(tmp_path):
  for name in ('ant', 'bee'):
    (tmp_path / name).mkdir()
    for number in range(6):
      picture = Image.new('RGB', (12, 8), (40 * number, 0, 0))
      picture.save(tmp_path / name / f'{number}.png')
  options = {'image_size': 6, 'channels': 1}
  dataset = load_dataset('folder', data_dir=tmp_path, **options)
  assert dataset.image_shape == (6, 6, 1)
  assert dataset.class_names == ('ant', 'bee')
  assert (len(dataset.train), len(dataset.test)) == (10, 2)
  tests = {
    load_dataset('folder', data_dir=tmp_path, seed=seed).test.images.tobytes()
    for seed in range(4)
  }
  assert len(tests) > 1


@pytest.mark.parametrize('name', ['digits', 'mnist', 'cifar10'])
@pytest.mark.parametrize(
  'option',
  [
    {'image_size': 32},
    {'image_size': (20, 30)},
    {'channels': 1},
    {'background': 9},
  ],
)
def test_other_sets_keep_their_form(tmp_path, user_error, name, option):
  with user_error('images.size', 'images.channels', 'dataset=folder', name):
    load_dataset(name, data_dir=tmp_path, **option)


def test_fewer_training_images_of_those_not_held_out():
  dataset = load_dataset('digits', validation_size=1000, train_size=50)
  sizes = [len(s) for s in (dataset.train, dataset.validation, dataset.test)]
  assert sizes == [50, 1000, 360]
  held_out = {image.tobytes() for image in dataset.validation.images}
  images = {image.tobytes() for image in dataset.train.images}
  assert len(images - held_out) >= 49, 'all but the same picture twice'


def test_too_many_training_images(user_error):
  with user_error('train_size=438', '437 training images'):
    load_dataset('digits', validation_size=1000, train_size=438)


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
