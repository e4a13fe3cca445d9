import sys

import numpy as np
import PIL.Image
import pytest
import scipy.io

from capsjax.data.svhn import load_svhn

SITE = 'http://ufldl.stanford.edu/housenumbers/'
TRAIN, TEST = 'train_32x32.mat', 'test_32x32.mat'


def pictures(count, seed=0):
  shape = (count, 32, 32, 3)
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def write(path, images, classes, *, dtype=np.uint8, packed=True, **replace):
  """Writes a file in SVHN's format: images on the last axis, labels 1 to 10."""
  side_by_side = np.zeros((32, 32, 3, len(images)), np.uint8)
  for place, image in enumerate(images):
    side_by_side[:, :, :, place] = image
  column = np.array(classes, dtype)[:, None]
  variables = {'X': side_by_side, 'y': column, **replace}
  kept = {name: v for name, v in variables.items() if v is not None}
  path.parent.mkdir(parents=True, exist_ok=True)
  scipy.io.savemat(path, kept, do_compression=packed)
  return path


@pytest.mark.parametrize('dtype', [np.uint8, np.float64])
@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('folder', ['svhn', '.'])
def test_files_are_read(tmp_path, dtype, packed, folder):
  train, test = pictures(4, seed=1), pictures(2, seed=2)
  options = {'dtype': dtype, 'packed': packed}
  write(tmp_path / folder / TRAIN, train, [10, 1, 9, 10], **options)
  write(tmp_path / folder / TEST, test, [5, 10], **options)
  dataset = load_svhn(data_dir=str(tmp_path))
  assert dataset.name == 'svhn'
  assert dataset.num_classes == 10
  assert dataset.class_names == tuple('0123456789')
  assert dataset.validation is None
  assert dataset.image_shape == (32, 32, 3)
  np.testing.assert_array_equal(dataset.train.images, train)
  np.testing.assert_array_equal(dataset.test.images, test)
  assert dataset.train.labels.tolist() == [0, 1, 9, 0]
  assert dataset.test.labels.tolist() == [5, 0]
  for split in (dataset.train, dataset.test):
    assert split.images.dtype == np.uint8
    assert split.images.flags.c_contiguous
    assert split.labels.dtype == np.int32


def test_a_picture_stands_upright(tmp_path):
  picture = np.zeros((32, 32, 3), np.uint8)
  picture[0, :, 0] = 255  # red at the top
  picture[:, 31, 2] = 200  # blue on the right
  write(tmp_path / TRAIN, [picture, picture], [7, 7])
  write(tmp_path / TEST, [picture, picture], [7, 7])
  image = load_svhn(data_dir=tmp_path).train.images[1]
  assert image[0, 5].tolist() == [255, 0, 0]
  assert image[5, 31].tolist() == [0, 0, 200]
  assert image[31, 5].tolist() == image[5, 0].tolist() == [0, 0, 0]


def test_the_digit_nought_may_be_nought(tmp_path):
  write(tmp_path / TRAIN, pictures(2), [0, 9])
  write(tmp_path / TEST, pictures(2), [10, 9])
  dataset = load_svhn(data_dir=tmp_path)
  assert dataset.train.labels.tolist() == dataset.test.labels.tolist() == [0, 9]


def test_the_folder_of_that_name_comes_first(tmp_path):
  for place, folder in enumerate((tmp_path / 'svhn', tmp_path)):
    write(folder / TRAIN, pictures(2), [place, place])
    write(folder / TEST, pictures(2), [place, place])
  assert load_svhn(data_dir=tmp_path).train.labels.tolist() == [0, 0]
  # Files of the two folders are not mixed.
  (tmp_path / 'svhn' / TEST).unlink()
  assert load_svhn(data_dir=tmp_path).train.labels.tolist() == [1, 1]


@pytest.mark.parametrize('nested', [True, False])
@pytest.mark.parametrize(('there', 'lacking'), [(TRAIN, TEST), (TEST, TRAIN)])
def test_own_files_are_not_completed(
  tmp_path, user_error, nested, there, lacking
):
  folder = tmp_path / 'svhn' if nested else tmp_path
  write(folder / there, pictures(2), [1, 2])
  with user_error(f'{folder} lacks {lacking}', SITE):
    load_svhn(data_dir=tmp_path)


@pytest.mark.parametrize(
  ('change', 'parts'),
  [
    ({'X': None}, ('lacks the array X',)),
    ({'y': None, 'X': None}, ('lacks the array X and y',)),
    ({'X': np.zeros((32, 32, 3, 3))}, ('float64', 'uint8')),
    ({'X': np.zeros((3, 32, 32, 3), np.uint8)}, ('(3, 32, 32, 3)',)),
    ({'X': np.zeros((32, 32, 3), np.uint8)}, ('(32, 32, 3)',)),
    ({'X': np.zeros((32, 32, 3, 1, 3), np.uint8)}, ('(32, 32, 3, 1, 3)',)),
    ({'y': np.ones((2, 1))}, ('3 images but 2 labels',)),
    ({'y': np.array([[1], [2], [11]])}, (': y,', 'from 0 to 10')),
    ({'y': np.array([[1], [2], [2.5]])}, (': y,', 'from 0 to 10')),
    ({'y': np.ones((3, 10))}, (': y,', '(3, 10)')),
    (
      {'X': np.zeros((32, 32, 3, 0), np.uint8), 'y': np.ones((0, 0))},
      ('no images',),
    ),
  ],
)
def test_other_content_is_told(tmp_path, user_error, change, parts):
  write(tmp_path / TRAIN, pictures(2), [1, 2])
  path = write(tmp_path / TEST, pictures(3), [1, 2, 3], **change)
  with user_error(path, *parts):
    load_svhn(data_dir=tmp_path)


def test_damaged_files_are_told(tmp_path, user_error):
  write(tmp_path / TEST, pictures(2), [1, 2])
  path = write(tmp_path / TRAIN, pictures(2), [1, 2])
  path.write_bytes(path.read_bytes()[:3000])
  with user_error(path, 'damaged'):
    load_svhn(data_dir=tmp_path)
  path.unlink()
  path.mkdir()
  with user_error(path, 'cannot read', 'Is a directory'):
    load_svhn(data_dir=tmp_path)


def test_a_missing_folder_is_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'does not exist'):
    load_svhn(data_dir=tmp_path / 'none')


def test_both_ways_are_told(tmp_path, user_error, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
  with user_error(
    f'{TRAIN} and {TEST}', SITE, tmp_path / 'svhn', "'capsjax[tfds]'"
  ):
    load_svhn(data_dir=tmp_path)


def test_the_set_of_tfds_is_read(tmp_path):
  tfds = pytest.importorskip(
    'tensorflow_datasets', reason="needs the extra 'tfds'"
  )
  images = {'train': pictures(3, seed=1), 'test': pictures(2, seed=2)}

  class Svhn(tfds.builder_cls('svhn_cropped'), skip_registration=True):
    name = 'svhn_cropped'

    def _split_generators(self, dl_manager):
      return {
        split: (
          (i, {'image': PIL.Image.fromarray(image), 'label': i, 'id': str(i)})
          for i, image in enumerate(each)
        )
        for split, each in images.items()
      }

  Svhn(data_dir=tmp_path).download_and_prepare(file_format='array_record')
  dataset = load_svhn(data_dir=tmp_path)
  assert dataset.name == 'svhn'
  assert dataset.num_classes == 10
  for split, name in ((dataset.train, 'train'), (dataset.test, 'test')):
    order = np.argsort(split.labels)
    np.testing.assert_array_equal(split.images[order], images[name])
