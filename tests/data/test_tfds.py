import importlib.util
import json
import sys

import numpy as np
import PIL.Image
import pytest
import requests

from capsjax.data import load_dataset, load_tfds
from capsjax.errors import UserError


@pytest.fixture(scope='module')
def tfds():
  return pytest.importorskip(
    'tensorflow_datasets', reason="needs the extra 'tfds'"
  )


def picture(value, size=(6, 8)):
  """Returns a picture that encodes its value and the channel order."""
  pixels = np.full((*size, 3), (value, 2 * value, 255 - value), np.uint8)
  return PIL.Image.fromarray(pixels)


def examples(start, count, size=(6, 8)):
  return [
    {'image': picture(value, size), 'label': value % 4}
    for value in range(start, start + count)
  ]


@pytest.fixture(scope='module')
def define(tfds):
  """Defines a data set in TFDS as if it were built in."""

  def define(class_name, splits, *, registered=True, **features):
    usual = {
      'image': tfds.features.Image(shape=(None, None, 3)),
      'label': tfds.features.ClassLabel(num_classes=4),
    }

    class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
      VERSION = tfds.core.Version('1.0.0')

      def _info(self):
        wanted = tfds.features.FeaturesDict(features or usual)
        return tfds.core.DatasetInfo(builder=self, features=wanted)

      def _split_generators(self, dl_manager):
        if isinstance(splits, Exception):
          raise splits
        return {name: enumerate(each) for name, each in splits.items()}

      def _generate_examples(self):
        raise NotImplementedError

    # TFDS derives the data set's name from the class name.
    body = {'__module__': __name__}
    return type(class_name, (Builder,), body, skip_registration=not registered)

  return define


@pytest.fixture(scope='module')
def shapes(define):
  # More examples than one block of the reader holds.
  return define(
    'CapsjaxShapes', {'train': examples(0, 23), 'test': examples(100, 7)}
  )


@pytest.fixture
def small_blocks(monkeypatch):
  monkeypatch.setattr('capsjax.data.tfds._BLOCK_SIZE', 10)


def assert_holds(split, values):
  assert split.images.dtype == np.uint8
  assert split.labels.dtype == np.int32
  assert sorted(split.images[:, 0, 0, 0].tolist()) == list(values)
  for image, label in zip(split.images, split.labels, strict=True):
    value = int(image[0, 0, 0])
    np.testing.assert_array_equal(image, np.asarray(picture(value)))
    assert label == value % 4


def test_a_set_is_prepared_read_and_kept(
  tmp_path, shapes, small_blocks, monkeypatch
):
  first = load_dataset('capsjax_shapes', data_dir=str(tmp_path))
  assert first.name == 'capsjax_shapes'
  assert first.num_classes == 4
  assert first.image_shape == (6, 8, 3)
  assert first.validation is None
  assert_holds(first.train, range(23))
  assert_holds(first.test, range(100, 107))
  assert (tmp_path / 'capsjax_shapes' / '1.0.0' / 'capsjax.npz').exists()

  def no_decoding(*_, **__):
    raise AssertionError('decoded again')

  with monkeypatch.context() as patch:
    patch.setattr(PIL.Image, 'open', no_decoding)
    second = load_tfds('capsjax_shapes', data_dir=tmp_path)
    np.testing.assert_array_equal(first.train.images, second.train.images)
    np.testing.assert_array_equal(first.train.labels, second.train.labels)
    np.testing.assert_array_equal(first.test.images, second.test.images)
    # Without the cache it must decode, so the check above can fail.
    (tmp_path / 'capsjax_shapes' / '1.0.0' / 'capsjax.npz').unlink()
    with pytest.raises(UserError, match='decoded again'):
      load_tfds('capsjax_shapes', data_dir=tmp_path)


def prepared(tmp_path, builder_class):
  builder = builder_class(data_dir=tmp_path)
  builder.download_and_prepare(file_format='array_record')
  return builder.name


def test_records_are_read_without_the_code_that_made_them(tmp_path, define):
  """Reads a data set that was prepared elsewhere and copied here."""
  splits = {'train': examples(0, 5), 'test': examples(5, 4)}
  builder = define('CapsjaxCopied', splits, registered=False)
  dataset = load_tfds(prepared(tmp_path, builder), data_dir=tmp_path)
  assert_holds(dataset.train, range(5))


def test_a_validation_split_is_kept(tmp_path, define):
  splits = {
    'train': examples(0, 5),
    'validation': examples(5, 4),
    'test': examples(9, 3),
  }
  name = prepared(tmp_path, define('CapsjaxThreeSplits', splits))
  dataset = load_tfds(name, data_dir=tmp_path)
  assert_holds(dataset.validation, range(5, 9))
  assert_holds(dataset.test, range(9, 12))


def test_validation_stands_in_for_a_missing_test(tmp_path, define):
  splits = {'train': examples(0, 5), 'validation': examples(5, 4)}
  name = prepared(tmp_path, define('CapsjaxNoTest', splits))
  dataset = load_tfds(name, data_dir=tmp_path)
  assert dataset.validation is None
  assert_holds(dataset.test, range(5, 9))


def test_a_set_that_is_only_for_training_is_told(tmp_path, define, user_error):
  name = prepared(tmp_path, define('CapsjaxNoParts', {'train': examples(0, 5)}))
  with user_error(name, 'splits train', "'train' and 'test'"):
    load_tfds(name, data_dir=tmp_path)


def test_images_of_several_sizes_are_told(tmp_path, define, user_error):
  splits = {
    'train': examples(0, 5) + examples(5, 1, size=(8, 6)),
    'test': examples(9, 3),
  }
  name = prepared(tmp_path, define('CapsjaxSizes', splits))
  with user_error(name, 'several sizes', '(6, 8, 3)', '(8, 6, 3)'):
    load_tfds(name, data_dir=tmp_path)


def test_a_set_without_labels_is_told(tmp_path, tfds, define, user_error):
  splits = {
    name: [{'image': picture(1), 'depth': 3}] for name in ('train', 'test')
  }
  builder = define(
    'CapsjaxNoLabels',
    splits,
    image=tfds.features.Image(shape=(None, None, 3)),
    depth=np.int64,
  )
  name = prepared(tmp_path, builder)
  with user_error(name, 'depth', "'image' and 'label'"):
    load_tfds(name, data_dir=tmp_path)


def test_two_cameras_become_channels(tmp_path, tfds, define):
  grey = np.arange(3 * 2 * 6 * 8, dtype=np.uint8).reshape(3, 2, 6, 8)
  pairs = [
    {
      'image': PIL.Image.fromarray(left),
      'image2': PIL.Image.fromarray(right),
      'label_category': place,
      'label_azimuth': 0,
    }
    for place, (left, right) in enumerate(grey)
  ]
  builder = define(
    'CapsjaxStereo',
    {'train': pairs, 'test': pairs},
    image=tfds.features.Image(shape=(6, 8, 1)),
    image2=tfds.features.Image(shape=(6, 8, 1)),
    label_category=tfds.features.ClassLabel(num_classes=3),
    label_azimuth=tfds.features.ClassLabel(num_classes=18),
  )
  name = prepared(tmp_path, builder)
  dataset = load_tfds(name, data_dir=tmp_path)
  assert dataset.num_classes == 3
  assert dataset.image_shape == (6, 8, 2)
  assert sorted(dataset.train.labels) == [0, 1, 2]
  for image, label in zip(
    dataset.train.images, dataset.train.labels, strict=True
  ):
    np.testing.assert_array_equal(image[..., 0], grey[label, 0])
    np.testing.assert_array_equal(image[..., 1], grey[label, 1])
  kept = load_tfds(name, data_dir=tmp_path)
  np.testing.assert_array_equal(kept.train.images, dataset.train.images)


def test_a_second_camera_that_is_not_bytes_is_told(
  tmp_path, tfds, define, user_error
):
  grey = picture(1).convert('L')
  pair = [{'image': grey, 'image2': grey, 'label_category': 0}]
  builder = define(
    'CapsjaxStereoDeep',
    {'train': pair, 'test': pair},
    image=tfds.features.Image(shape=(6, 8, 1)),
    image2=tfds.features.Image(shape=(6, 8, 1), dtype=np.uint16),
    label_category=tfds.features.ClassLabel(num_classes=4),
  )
  name = prepared(tmp_path, builder)
  with user_error(name, 'uint8 images', "'label_category'"):
    load_tfds(name, data_dir=tmp_path)


def test_labels_that_are_no_classes_are_told(
  tmp_path, tfds, define, user_error
):
  builder = define(
    'CapsjaxNumbers',
    {'train': examples(0, 2), 'test': examples(0, 2)},
    image=tfds.features.Image(shape=(None, None, 3)),
    label=np.int64,
  )
  name = prepared(tmp_path, builder)
  with user_error(name, 'ClassLabel'):
    load_tfds(name, data_dir=tmp_path)


def test_images_that_are_not_bytes_are_told(tmp_path, tfds, define, user_error):
  grey = [{'image': picture(1).convert('L'), 'label': 0}]
  builder = define(
    'CapsjaxDeep',
    {'train': grey, 'test': grey},
    image=tfds.features.Image(shape=(None, None, 1), dtype=np.uint16),
    label=tfds.features.ClassLabel(num_classes=4),
  )
  name = prepared(tmp_path, builder)
  with user_error(name, 'uint8 images'):
    load_tfds(name, data_dir=tmp_path)


def test_labels_that_are_withheld_are_told(tmp_path, define, user_error):
  hidden = [{'image': picture(value), 'label': -1} for value in range(3)]
  splits = {'train': examples(0, 5), 'test': hidden}
  name = prepared(tmp_path, define('CapsjaxHidden', splits))
  with user_error(f"split 'test' of {name}", 'labels run from -1 to -1'):
    load_tfds(name, data_dir=tmp_path)


def test_records_in_another_format_are_told(tmp_path, shapes, user_error):
  name = prepared(tmp_path, shapes)
  folder = tmp_path / name / '1.0.0'
  info = json.loads((folder / 'dataset_info.json').read_text())
  info['fileFormat'] = 'tfrecord'
  (folder / 'dataset_info.json').write_text(json.dumps(info))
  for path in folder.glob('*array_record*'):
    path.rename(str(path).replace('array_record', 'tfrecord'))
  with user_error(name, folder, 'array_record', f'tfds build {name}'):
    load_tfds(name, data_dir=tmp_path)


def test_records_that_are_cut_off_are_told(tmp_path, shapes, user_error):
  name = prepared(tmp_path, shapes)
  folder = tmp_path / name / '1.0.0'
  path = next(folder.glob('*train.array_record*'))
  path.write_bytes(path.read_bytes()[:100])
  with user_error('cannot read', name, folder):
    load_tfds(name, data_dir=tmp_path)
  assert not (folder / 'capsjax.npz').exists()


def test_no_network_is_told(tmp_path, define, user_error):
  define('CapsjaxFarAway', requests.ConnectionError('no\nroute'))
  with user_error(
    'capsjax_far_away',
    tmp_path,
    'ConnectionError: no',
    'tfds build capsjax_far_away',
    'configs/digits.py',
  ):
    load_tfds('capsjax_far_away', data_dir=tmp_path)


@pytest.mark.skipif(
  importlib.util.find_spec('tensorflow') is not None,
  reason='TensorFlow is installed',
)
def test_the_need_for_tensorflow_is_told(tmp_path, define, user_error):
  # TFDS needs TensorFlow to encode arrays, but not to encode pictures.
  arrays = [{'image': np.zeros((6, 8, 3), np.uint8), 'label': 0}]
  define('CapsjaxArrays', {'train': arrays, 'test': arrays})
  with user_error('capsjax_arrays', 'needs TensorFlow', 'pip install'):
    load_tfds('capsjax_arrays', data_dir=tmp_path)


@pytest.mark.parametrize(
  ('name', 'parts'),
  [
    ('cifra10', ('did you mean', 'cifar10')),
    ('fashion-mnist', ('did you mean', 'fashion_mnist')),
    ('cifar10/nope', ('nope',)),
    ('cifar10:9.9.9', ('9.9.9',)),
    ('../mnist', ('correct the name',)),
    ('', ('correct the name',)),
  ],
)
def test_unknown_names_are_told(tmp_path, tfds, user_error, name, parts):
  with user_error('unknown data set', name, *parts):
    load_tfds(name, data_dir=tmp_path)


@pytest.mark.parametrize('error', [ImportError('none'), TypeError('protobuf')])
def test_tfds_that_is_missing_is_told(tmp_path, user_error, monkeypatch, error):
  class Finder:
    def find_spec(self, name, path=None, target=None):
      if name == 'tensorflow_datasets':
        raise error
      return None

  monkeypatch.delitem(sys.modules, 'tensorflow_datasets', raising=False)
  monkeypatch.setattr('sys.meta_path', [Finder(), *sys.meta_path])
  with user_error('mnits', 'mean mnist', "pip install 'capsjax[tfds]'", error):
    load_dataset('mnits', data_dir=tmp_path)


def test_a_missing_folder_is_told(tmp_path, user_error):
  with user_error(tmp_path / 'none', 'does not exist'):
    load_tfds('cifar10', data_dir=tmp_path / 'none')
