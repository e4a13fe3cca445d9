import gzip
import struct
import sys

import numpy as np
import PIL.Image
import pytest

from capsjax.data.smallnorb import load_smallnorb

SITE = 'https://cs.nyu.edu/~ylclab/data/norb-v1.0-small/'
TRAIN = 'smallnorb-5x46789x9x18x6x2x96x96-training'
TEST = 'smallnorb-5x01235x9x18x6x2x96x96-testing'
FILES = [
  f'{part}-{kind}.mat' for part in (TRAIN, TEST) for kind in ('dat', 'cat')
]
CLASS_NAMES = ('animal', 'human', 'plane', 'truck', 'car')


def pairs(count, seed=0):
  shape = (count, 2, 96, 96)
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def write_lush(path, array):
  """Writes a Lush matrix of uint8 or int32."""
  magic = {'uint8': 0x1E3D4C55, 'int32': 0x1E3D4C54}[array.dtype.name]
  sizes = (*array.shape, *[1] * (3 - array.ndim))
  header = struct.pack(f'<ii{len(sizes)}i', magic, array.ndim, *sizes)
  data = header + array.astype(array.dtype.newbyteorder('<')).tobytes()
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_bytes(gzip.compress(data, 1) if path.suffix == '.gz' else data)
  return path


def write_part(folder, part, images, labels, *, suffix=''):
  write_lush(folder / f'{part}-dat.mat{suffix}', images)
  write_lush(folder / f'{part}-cat.mat{suffix}', np.array(labels, np.int32))


def write_set(folder, *, suffix='', label=0):
  write_part(folder, TRAIN, pairs(2, seed=1), [label, label], suffix=suffix)
  write_part(folder, TEST, pairs(1, seed=2), [label], suffix=suffix)


def halved(pair):
  """Halves the size of both cameras' images in loops, rounding half up."""
  result = np.zeros((48, 48, 2), np.uint8)
  for y in range(48):
    for x in range(48):
      for camera in range(2):
        block = pair[camera, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2]
        result[y, x, camera] = int(block.astype(float).mean() + 0.5)
  return result


@pytest.mark.parametrize('suffix', ['', '.gz'])
@pytest.mark.parametrize('folder', ['smallnorb', '.'])
def test_files_are_read(tmp_path, suffix, folder):
  train, test = pairs(3, seed=1), pairs(2, seed=2)
  write_part(tmp_path / folder, TRAIN, train, [4, 0, 2], suffix=suffix)
  write_part(tmp_path / folder, TEST, test, [1, 3], suffix=suffix)
  dataset = load_smallnorb(data_dir=str(tmp_path))
  assert dataset.name == 'smallnorb'
  assert dataset.num_classes == 5
  assert dataset.class_names == CLASS_NAMES
  assert dataset.validation is None
  assert dataset.image_shape == (48, 48, 2)
  assert dataset.train.labels.tolist() == [4, 0, 2]
  assert dataset.test.labels.tolist() == [1, 3]
  for split, originals in ((dataset.train, train), (dataset.test, test)):
    assert split.images.dtype == np.uint8
    assert split.images.flags.c_contiguous
    assert split.labels.dtype == np.int32
    for image, pair in zip(split.images, originals, strict=True):
      np.testing.assert_array_equal(image, halved(pair))


def test_a_picture_stands_upright_and_cameras_are_channels(tmp_path):
  pair = np.zeros((1, 2, 96, 96), np.uint8)
  pair[0, 0, :2] = 255  # the left camera: the top is white
  pair[0, 1, :, 94:] = 200  # the right camera: the right side is grey
  write_part(tmp_path, TRAIN, pair, [0])
  write_part(tmp_path, TEST, pair, [0])
  image = load_smallnorb(data_dir=tmp_path).test.images[0]
  left, right = image[..., 0], image[..., 1]
  assert (left[0] == 255).all() and not left[1:].any()
  assert (right[:, 47] == 200).all() and not right[:, :47].any()


@pytest.mark.parametrize(
  ('block', 'mean'),
  [
    ((255, 255, 255, 255), 255),
    ((255, 255, 255, 254), 255),
    ((255, 255, 254, 254), 255),
    ((255, 254, 254, 254), 254),
    ((1, 0, 0, 0), 0),
    ((1, 1, 0, 0), 1),
    ((0, 3, 0, 0), 1),
  ],
)
def test_means_are_rounded(tmp_path, block, mean):
  pair = np.zeros((1, 2, 96, 96), np.uint8)
  pair[0, 1, 10:12, 20:22] = np.reshape(block, (2, 2))
  write_part(tmp_path, TRAIN, pair, [0])
  write_part(tmp_path, TEST, pair, [0])
  images = load_smallnorb(data_dir=tmp_path).train.images
  assert images[0, 5, 10, 1] == mean
  assert images.sum() == mean


def test_some_files_may_be_packed(tmp_path):
  write_set(tmp_path, label=3)
  path = tmp_path / FILES[2]
  packed = tmp_path / f'{FILES[2]}.gz'
  packed.write_bytes(gzip.compress(path.read_bytes()))
  path.unlink()
  assert load_smallnorb(data_dir=tmp_path).test.labels.tolist() == [3]


def test_two_folders_are_not_mixed(tmp_path):
  write_set(tmp_path, label=1)
  write_set(tmp_path / 'smallnorb', label=2)
  assert load_smallnorb(data_dir=tmp_path).test.labels.tolist() == [2]
  (tmp_path / 'smallnorb' / FILES[3]).unlink()
  assert load_smallnorb(data_dir=tmp_path).test.labels.tolist() == [1]


@pytest.mark.parametrize('nested', [True, False])
@pytest.mark.parametrize('file', FILES)
def test_own_files_are_not_completed(tmp_path, user_error, nested, file):
  folder = tmp_path / 'smallnorb' if nested else tmp_path
  write_set(folder)
  (folder / file).unlink()
  with user_error(f'{folder} lacks {file}', SITE):
    load_smallnorb(data_dir=tmp_path)


@pytest.mark.parametrize(
  ('file', 'array', 'parts'),
  [
    (0, np.zeros((2, 2, 96, 96), np.int32), ('int32', 'uint8')),
    (0, np.zeros((2, 1, 96, 96), np.uint8), ('(2, 1, 96, 96)',)),
    (2, np.zeros((2, 2, 48, 48), np.uint8), ('(2, 2, 48, 48)',)),
    (2, np.zeros((2, 96, 96), np.uint8), ('(2, 96, 96)',)),
    (1, np.zeros(2, np.uint8), ('uint8', 'int32')),
    (3, np.zeros((1, 4), np.int32), ('(1, 4)',)),
    (1, np.array([0, 5], np.int32), ('labels run from 0 to 5',)),
    (1, np.array([-1, 0], np.int32), ('labels run from -1 to 0',)),
    (3, np.zeros(7, np.int32), ('1 images but 7 labels',)),
  ],
)
def test_other_content_is_told(tmp_path, user_error, file, array, parts):
  write_set(tmp_path)
  path = write_lush(tmp_path / FILES[file], array)
  with user_error(path.name, tmp_path, *parts):
    load_smallnorb(data_dir=tmp_path)


def test_damaged_files_are_told(tmp_path, user_error):
  write_set(tmp_path, suffix='.gz')
  path = tmp_path / f'{FILES[0]}.gz'
  path.write_bytes(path.read_bytes()[:-30])
  with user_error(path, 'cannot read'):
    load_smallnorb(data_dir=tmp_path)
  path.write_bytes(b'MATLAB 5.0 MAT-file')
  with user_error(path, 'cannot read'):
    load_smallnorb(data_dir=tmp_path)


def test_no_images_are_told(tmp_path, user_error):
  write_set(tmp_path)
  write_part(tmp_path, TEST, pairs(0), [])
  with user_error(tmp_path / f'{TEST}-dat.mat', 'no images'):
    load_smallnorb(data_dir=tmp_path)


def test_a_missing_folder_is_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'does not exist'):
    load_smallnorb(data_dir=tmp_path / 'none')


def test_both_ways_are_told(tmp_path, user_error, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow_datasets', None)
  with user_error(
    *FILES, SITE, f'into {tmp_path / "smallnorb"}', "'capsjax[tfds]'"
  ):
    load_smallnorb(data_dir=tmp_path)


def test_the_set_of_tfds_is_read(tmp_path):
  tfds = pytest.importorskip(
    'tensorflow_datasets', reason="needs the extra 'tfds'"
  )
  originals = {'train': pairs(5, seed=1), 'test': pairs(3, seed=2)}

  def example(place, pair):
    left, right = (PIL.Image.fromarray(image) for image in pair)
    labels = ('label_elevation', 'label_azimuth', 'label_lighting', 'instance')
    category = {'label_category': place, **dict.fromkeys(labels, 0)}
    return {'image': left, 'image2': right, **category}

  class Norb(tfds.builder_cls('smallnorb'), skip_registration=True):
    name = 'smallnorb'

    def _split_generators(self, dl_manager):
      return {
        split: ((i, example(i, pair)) for i, pair in enumerate(each))
        for split, each in originals.items()
      }

  Norb(data_dir=tmp_path).download_and_prepare(file_format='array_record')
  dataset = load_smallnorb(data_dir=tmp_path)
  assert dataset.name == 'smallnorb'
  assert dataset.class_names == CLASS_NAMES
  for split, name in ((dataset.train, 'train'), (dataset.test, 'test')):
    assert len(split) == len(originals[name])
    for image, label in zip(split.images, split.labels, strict=True):
      np.testing.assert_array_equal(image, halved(originals[name][label]))
