"""Tests layouts, the random split and error messages, on tiny pictures."""

import os

import numpy as np
import pytest
from PIL import Image

from capsjax.data.folder.load import load_folder

SIZE = (4, 3)  # Width and height, as Pillow orders them.


def write(path, value=0, *, size=SIZE, mode='L'):
  path.parent.mkdir(parents=True, exist_ok=True)
  color = value if mode == 'L' else (value, 0, 255 - value)
  Image.new(mode, size, color).save(path)


def write_classes(folder, counts, *, start=0):
  """Writes distinct pictures; returns the value of each by its name."""
  values = {}
  for name, count in counts.items():
    for i in range(count):
      # Sorted by code points, 10 comes before 2.
      file = f'{name}/{i}.png'
      values[file] = start + len(values)
      write(folder / file, values[file])
  return values


def values_of(split):
  """Returns the value that each picture was filled with."""
  first = split.images[:, :1, :1, :1]
  np.testing.assert_array_equal(
    split.images, np.broadcast_to(first, split.images.shape)
  )
  return first.reshape(-1).tolist()


def expected(values, class_names):
  """Returns values and labels, sorted by class and name."""
  names = sorted(values, key=lambda name: name.split('/')[-2:])
  labels = [class_names.index(name.split('/')[-2]) for name in names]
  return [values[name] for name in names], labels


def assert_holds(split, values, class_names):
  pixels, labels = expected(values, class_names)
  assert values_of(split) == pixels
  assert split.labels.tolist() == labels
  assert split.images.dtype == np.uint8
  assert split.labels.dtype == np.int32


def test_names_that_are_not_utf8_become_text(tmp_path):
  """Other names would break code that prints, draws or writes them."""
  latin = os.fsdecode('caf\xe9'.encode('latin-1'))
  try:
    (tmp_path / latin).mkdir()
  except OSError:
    pytest.skip('this file system takes UTF-8 only')
  values = write_classes(tmp_path, {latin: 2, 'cafe': 2})
  dataset = load_folder(data_dir=tmp_path, test_share=0.5)
  assert dataset.class_names == ('cafe', 'caf\\xe9')
  shown = {*values_of(dataset.train), *values_of(dataset.test)}
  assert shown == set(values.values())


def test_splits_are_read_in_order(tmp_path):
  train = write_classes(tmp_path / 'train', {'dog': 12, 'Cat': 3, 'ant': 2})
  test = write_classes(tmp_path / 'test', {'dog': 2, 'Cat': 1}, start=100)
  val = write_classes(tmp_path / 'val', {'ant': 1, 'dog': 11}, start=200)
  dataset = load_folder(data_dir=str(tmp_path))
  names = ('Cat', 'ant', 'dog')
  assert dataset.name == 'folder'
  assert dataset.class_names == names
  assert dataset.num_classes == 3
  assert dataset.image_shape == (3, 4, 1)
  assert_holds(dataset.train, train, names)
  assert_holds(dataset.test, test, names)
  assert_holds(dataset.validation, val, names)
  # Code points: '10.png' before '2.png'.
  assert values_of(dataset.validation)[1:4] == [201, 202, 211]


def test_names_are_sorted_not_paths(tmp_path):
  # '-' comes before '/', which ends a name in a path.
  values = write_classes(tmp_path / 'train', {'cat': 2, 'cat-big': 2})
  values |= write_classes(tmp_path / 'train', {'Cat': 1, 'cat big': 1}, start=9)
  write_classes(tmp_path / 'test', {'cat': 1})
  names = ('Cat', 'cat', 'cat big', 'cat-big')
  dataset = load_folder(data_dir=tmp_path)
  assert dataset.class_names == names
  assert_holds(dataset.train, values, names)


def test_validation_is_the_test_where_there_is_no_other(tmp_path):
  write_classes(tmp_path / 'train', {'a': 2, 'b': 2})
  values = write_classes(tmp_path / 'validation', {'a': 1, 'b': 2}, start=9)
  dataset = load_folder(data_dir=tmp_path)
  assert_holds(dataset.test, values, ('a', 'b'))
  assert dataset.validation is None


@pytest.mark.parametrize(
  ('count', 'share', 'size'),
  [(2, 0.2, 1), (2, 0.9, 1), (5, 0.2, 1), (8, 0.2, 2), (40, 0.2, 8)]
  + [(9, 0.01, 1), (9, 0.99, 8), (10, 0.5, 5)],
)
def test_a_share_of_each_class_is_the_test(tmp_path, count, share, size):
  values = write_classes(tmp_path, {'a': count, 'b': 20})
  dataset = load_folder(data_dir=tmp_path, test_share=share)
  assert np.bincount(dataset.test.labels)[0] == size
  assert np.bincount(dataset.train.labels)[0] == count - size
  assert dataset.validation is None
  pixels, labels = expected(values, ('a', 'b'))
  parts = [values_of(dataset.train), values_of(dataset.test)]
  assert sorted(parts[0] + parts[1]) == sorted(pixels)
  for part, split in zip(parts, (dataset.train, dataset.test), strict=True):
    # Pictures keep their order and labels.
    assert part == [value for value in pixels if value in part]
    assert split.labels.tolist() == [labels[pixels.index(v)] for v in part]


def test_the_split_depends_on_names_and_seed_alone(tmp_path):
  counts = {'a': 30, 'b': 31}
  values = write_classes(tmp_path / 'one', counts)
  # Written in another order, with other content, and at another time.
  for name in reversed(values):
    write(tmp_path / 'two' / name, 255 - values[name], size=(5, 5))
    os.utime(tmp_path / 'two' / name, (0, 0))
  (tmp_path / 'two' / 'a' / 'notes.txt').write_text('no picture')
  one, again, other = (
    values_of(load_folder(data_dir=tmp_path / 'one', seed=seed).test)
    for seed in (3, 3, 4)
  )
  two = values_of(load_folder(data_dir=tmp_path / 'two', seed=3).test)
  assert one == again == [255 - value for value in two]
  assert one != other
  assert one[:6] != [value - 30 for value in one[6:]], 'drawn class by class'


def test_a_folder_around_everything_does_not_matter(tmp_path):
  counts = {'a': 5, 'b': 6}
  write_classes(tmp_path / 'plain', counts)
  write_classes(tmp_path / 'deep' / 'pets' / 'images', counts)
  plain = load_folder(data_dir=tmp_path / 'plain')
  deep = load_folder(data_dir=tmp_path / 'deep')
  assert deep.class_names == ('a', 'b')
  np.testing.assert_array_equal(plain.test.images, deep.test.images)
  np.testing.assert_array_equal(plain.train.images, deep.train.images)


def test_a_class_may_be_called_train(tmp_path):
  write_classes(tmp_path, {'train': 3, 'bus': 3, 'plane': 3})
  dataset = load_folder(data_dir=tmp_path)
  assert dataset.class_names == ('bus', 'plane', 'train')


def test_what_is_no_picture_is_ignored(tmp_path):
  values = write_classes(tmp_path, {'a': 2, 'b': 2})
  for name in ('a/.DS_Store', 'a/Thumbs.db', 'b/notes.txt', 'b/x.png.bak'):
    (tmp_path / name).write_bytes(b'\0' * 9)
  for name in ('.git/x.png', '__MACOSX/a/._1.png', 'a/._1.png', 'a/.t/1.png'):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b'no picture')
  (tmp_path / 'README.md').write_text('about')
  dataset = load_folder(data_dir=tmp_path)
  assert dataset.class_names == ('a', 'b')
  assert len(dataset.train) + len(dataset.test) == len(values)


def test_every_kind_is_read(tmp_path):
  kinds = ('png', 'PNG', 'jpg', 'JPG', 'jpeg', 'JpEg', 'jfif')
  kinds += ('webp', 'WebP', 'gif', 'bmp', 'tif', 'tiff', 'TIFF')
  for i, suffix in enumerate(kinds):
    for name in 'ab':
      write(tmp_path / name / f'{i}.{suffix}', 10 * i, mode='RGB')
  dataset = load_folder(data_dir=tmp_path, test_share=0.5)
  assert len(dataset.train) == len(dataset.test) == len(kinds)
  assert dataset.image_shape == (3, 4, 3)
  # JPEG and WebP lose a little.
  reds = np.concatenate([dataset.train.images, dataset.test.images])[..., 0]
  expected = np.repeat(10 * np.arange(len(kinds)), 2)
  assert np.abs(np.sort(reds[:, 0, 0].astype(int)) - expected).max() <= 3


def test_what_is_skipped_is_counted(tmp_path, caplog):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  for name in ('a/1.heic', 'a/2.HEIC', 'b/3.heic', 'b/x.txt', 'README'):
    (tmp_path / name).write_bytes(b'no picture')
  for name in ('a/.DS_Store', 'a/Thumbs.db', 'b/desktop.ini', '.git/1.heic'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b'no picture')
  load_folder(data_dir=tmp_path)
  (record,) = (
    r for r in caplog.records if r.getMessage().startswith('skipped')
  )
  assert record.getMessage() == (
    f'skipped 5 files of other kinds in {tmp_path} (3 .heic, 1 .txt, 1 without'
    ' a suffix); capsjax reads PNG, JPEG, WebP, GIF, BMP or TIFF'
  )


def write_noise(folder, counts, *, seed=0):
  rng = np.random.default_rng(seed)
  for name, count in counts.items():
    (folder / name).mkdir(parents=True)
    for i in range(count):
      pixels = rng.integers(0, 256, (3, 4), np.uint8)
      Image.fromarray(pixels).save(folder / name / f'{i}.png')


def test_test_pictures_that_are_trained_on_are_counted(tmp_path, caplog):
  for seed, split in enumerate(('train', 'test')):
    write_noise(tmp_path / split, {'a': 5, 'b': 4}, seed=seed)
  load_folder(data_dir=tmp_path)
  assert not caplog.records
  # Other files with equal pixels, one of them in another class.
  with Image.open(tmp_path / 'train' / 'a' / '1.png') as image:
    image.save(tmp_path / 'test' / 'a' / 'copy.bmp')
    image.save(tmp_path / 'test' / 'b' / '2.png')
  load_folder(data_dir=tmp_path)
  (record,) = caplog.records
  told = record.getMessage()
  assert '2 of 10 test pictures' in told
  assert 'test/a/copy.bmp, test/b/2.png' in told


def test_pictures_of_one_colour_are_counted(tmp_path, caplog):
  write_noise(tmp_path, {'a': 5, 'b': 4})
  write(tmp_path / 'a' / 'flat.png', 7)
  load_folder(data_dir=tmp_path)
  (record,) = caplog.records
  assert '1 of 10 pictures' in record.getMessage()
  assert record.getMessage().endswith('show a single colour: a/flat.png')


def write_drawing(path, ink, *, mode):
  """Draws a square of one grey on a transparent background."""
  pixels = np.zeros((3, 4, 4), np.uint8)
  pixels[1:, :2] = (ink, ink, ink, 255)
  path.parent.mkdir(parents=True, exist_ok=True)
  image = Image.fromarray(pixels)
  if mode == 'P':
    image = image.quantize(2)
  (image if mode == 'RGBA' else image.convert(mode)).save(path)


@pytest.mark.parametrize('mode', ['RGBA', 'LA', 'P'])
def test_transparent_pictures_get_the_background(tmp_path, caplog, mode):
  for name in ('a/1', 'a/2', 'b/1', 'b/2'):
    write_drawing(tmp_path / f'{name}.png', 0, mode=mode)
  black = load_folder(data_dir=tmp_path, channels=1)
  assert not black.train.images.any()
  (blank, repeated) = (record.getMessage() for record in caplog.records)
  assert '4 of 4 pictures' in blank
  assert 'set --config.images.background, 0 for black' in blank
  assert '2 of 2 test pictures' in repeated
  caplog.clear()
  white = load_folder(data_dir=tmp_path, channels=1, background=255)
  expected = np.full((3, 4), 255)
  expected[1:, :2] = 0
  for image in white.train.images[..., 0]:
    np.testing.assert_array_equal(image, expected)
  assert 'colour' not in caplog.text
  assert (black.background, white.background) == ((0,), (255,))


def test_a_background_is_only_known_if_something_is_transparent(tmp_path):
  write_noise(tmp_path / 'train', {'a': 2, 'b': 2})
  write_drawing(tmp_path / 'test' / 'a' / '1.png', 9, mode='RGBA')
  assert load_folder(data_dir=tmp_path).background == ()
  write_drawing(tmp_path / 'train' / 'a' / '3.png', 9, mode='RGBA')
  dataset = load_folder(data_dir=tmp_path, background=40)
  assert dataset.background == (40, 40, 40)


def test_images_may_be_wider_than_high(tmp_path):
  rows = np.repeat(np.arange(0, 240, 4, np.uint8)[:, None], 50, axis=1)
  for name in ('a/1', 'a/2', 'b/1', 'b/2'):
    path = tmp_path / f'{name}.png'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(rows).save(path)
  dataset = load_folder(data_dir=tmp_path, image_size=(20, 50))
  assert dataset.image_shape == (20, 50, 1)
  # As wide already, so the middle third of the rows is cut out.
  np.testing.assert_array_equal(dataset.train.images[0, ..., 0], rows[20:40])
  dataset = load_folder(data_dir=tmp_path, image_size=(60, 10))
  np.testing.assert_array_equal(dataset.train.images[0, ..., 0], rows[:, :10])


def test_links_are_followed(tmp_path):
  write_classes(tmp_path / 'elsewhere', {'a': 2})
  write_classes(tmp_path / 'set', {'b': 2})
  (tmp_path / 'set' / 'a').symlink_to(tmp_path / 'elsewhere' / 'a')
  assert load_folder(data_dir=tmp_path / 'set').class_names == ('a', 'b')


def test_a_link_to_nothing_is_told(tmp_path, user_error):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  (tmp_path / 'a' / '5.png').symlink_to(tmp_path / 'none')
  with user_error(tmp_path / 'a' / '5.png', 'No such file', 'remove'):
    load_folder(data_dir=tmp_path)


def test_grey_becomes_colour_if_one_picture_has_it(tmp_path):
  write_classes(tmp_path, {'a': 40, 'b': 40})
  assert load_folder(data_dir=tmp_path).image_shape == (3, 4, 1)
  write(tmp_path / 'b' / '33.png', 200, mode='RGB')
  dataset = load_folder(data_dir=tmp_path)
  assert dataset.image_shape == (3, 4, 3)
  images = np.concatenate([dataset.train.images, dataset.test.images])
  is_grey = (images == images[..., :1]).all((1, 2, 3))
  assert is_grey.sum() == 79
  assert (images[~is_grey] == [200, 0, 55]).all()
  values = set(range(80)) - {73}
  assert set(images[is_grey][:, 0, 0, 0].tolist()) == values


@pytest.mark.parametrize('channels', [1, 3])
def test_channels_can_be_chosen(tmp_path, channels):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  write(tmp_path / 'b' / '1.png', 200, mode='RGB')
  dataset = load_folder(data_dir=tmp_path, channels=channels)
  assert dataset.image_shape == (3, 4, channels)


def test_many_pictures_keep_their_places(tmp_path):
  rng = np.random.default_rng(0)
  pixels = {}
  for i in range(600):
    # Some take much longer than others.
    side = 400 if i % 50 == 0 else 8
    value = rng.integers(0, 256, 3).tolist()
    name = f'{"ab"[i % 2]}/{i:03}.png'
    pixels[name] = value
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.new('RGB', (side, side), tuple(value)).save(tmp_path / name)
  (tmp_path / 'train').mkdir()
  for name in 'ab':
    (tmp_path / name).rename(tmp_path / 'train' / name)
  write_classes(tmp_path / 'test', {'a': 1})
  images = load_folder(data_dir=tmp_path, image_size=8).train.images
  colors = np.array([pixels[name] for name in sorted(pixels)], np.uint8)
  np.testing.assert_array_equal(
    images, np.broadcast_to(colors[:, None, None], images.shape)
  )


def test_sizes_that_differ_are_told(tmp_path, user_error):
  write_classes(tmp_path, {'a': 9, 'b': 9})
  write(tmp_path / 'a' / '0.png', size=(7, 2))
  with user_error(
    '1 of 18 pictures',
    tmp_path,
    'is not 4x3',
    'a/0.png (7x2);',
    '--config.images.size=32',
  ):
    load_folder(data_dir=tmp_path)
  for i in range(4):
    write(tmp_path / 'b' / f'{i}.png', size=(3, 4))
  with user_error('5 of 18 pictures', '(3x4)', 'and 2 more'):
    load_folder(data_dir=tmp_path)
  dataset = load_folder(data_dir=tmp_path, image_size=6)
  assert dataset.image_shape == (6, 6, 1)


def test_damaged_files_are_told_together(tmp_path, user_error):
  write_classes(tmp_path / 'train', {'a': 4, 'b': 4})
  write_classes(tmp_path / 'test', {'a': 4, 'b': 4})
  big = tmp_path / 'train' / 'b' / '1.jpg'
  Image.effect_noise((50, 50), 80).save(big)
  big.write_bytes(big.read_bytes()[:-300])
  (tmp_path / 'train' / 'a' / '1.png').write_bytes(b'')
  (tmp_path / 'train' / 'a' / '2.png').write_text('a text')
  told = (
    'cannot read 3 of 17 pictures',
    tmp_path,
    'train/a/1.png (empty)',
    'train/a/2.png (not PNG, JPEG, WebP, GIF, BMP or TIFF, or damaged',
    'train/b/1.jpg (image file is truncated',
    'remove or replace',
  )
  with user_error(*told):
    load_folder(data_dir=tmp_path)
  for name in ('a/0.png', 'b/2.png'):
    (tmp_path / 'test' / name).write_bytes(b'\x89PNG\r\n\x1a\n')
  with user_error('cannot read 5 of 17', '1.jpg', 'and 2 more; remove'):
    load_folder(data_dir=tmp_path)


def test_warnings_of_pillow_are_not_passed_on(tmp_path):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  # The first entry of the EXIF data is truncated.
  exif = b'Exif\0\0MM\0*\0\0\0\x08\0\x03\x01\x12\0\x03'
  path = tmp_path / 'a' / '2.jpg'
  Image.new('L', SIZE).save(path, exif=exif)
  with (
    pytest.warns(UserWarning, match='Corrupt EXIF'),
    Image.open(path) as image,
  ):
    image.getexif()
  dataset = load_folder(data_dir=tmp_path)
  assert len(dataset.train) + len(dataset.test) == 5


@pytest.mark.filterwarnings('ignore')
@pytest.mark.parametrize('size', [(4, 4), (5, 5)])
def test_a_decompression_bomb_is_told(tmp_path, monkeypatch, user_error, size):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  write(tmp_path / 'b' / '1.png', size=size)
  # Up to twice this number, Pillow itself only warns.
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 12)
  with user_error('1 of 4 pictures', 'b/1.png (more than 12 pixels)'):
    load_folder(data_dir=tmp_path, image_size=4)
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', None)
  load_folder(data_dir=tmp_path, image_size=4)


@pytest.mark.parametrize(
  ('files', 'told'),
  [
    ([], ['no pictures (PNG, JPEG, WebP, GIF, BMP or TIFF) in', 'data_dir']),
    (['a/1.heic', 'b/x.txt'], ['no pictures (PNG']),
    (['1.png', '2.png'], ['outside the class folders', '1.png, 2.png']),
    (['a/1.png', 'a/2.png'], ['no class folder other than a', 'add another']),
    (
      ['a/1.png', 'b/1.png', 'b/2.png'],
      ['is the only picture of its class', 'add pictures'],
    ),
    (
      ['a/1.png', 'b/1.png', 'c/x.txt', 'd/e'],
      ['in c, d of', 'remove the folder'],
    ),
    (
      ['a/1.png', 'b/1.png', 'x.png', 'b/y/1.png', 'b/y/2.png', 'b/y/3.png'],
      ['outside the class', 'x.png, b/y/1.png, b/y/2.png and 1 more'],
    ),
    (
      ['train/a/1.png', 'train/b/1.png'],
      ['the folder train, but no folder test', 'move the class folders out'],
    ),
    (
      ['all/train/a/1.png', 'all/train/b/1.png'],
      ['the folder train, but no folder test'],
    ),
    (['test/a/1.png'], ['the folder test, but no folder train: add it']),
    (
      ['train/1.png', 'test/2.png'],
      ['outside the class folders', 'test/2.png, train/1.png'],
    ),
    (
      ['train/a/1.png', 'train/b/1.png', 'test/1.png'],
      ['outside the class folders', 'test/1.png'],
    ),
    (
      ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'extra/a/1.png'],
      ['outside the class folders', 'extra/a/1.png'],
    ),
    (
      ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'test/c/1.png'],
      ['the class c in test, but not in train'],
    ),
    (
      ['train/a/1.png', 'train/b/1.png', 'test/a/1.png', 'test/b/x'],
      ['no pictures', 'in test/b of'],
    ),
    (
      ['train/a/1.png', 'test/a/1.png'],
      ['no class folder other than a', 'add another'],
    ),
    (
      ['train/a/1.png', 'val/a/1.png', 'validation/a/1.png'],
      ['both folders val and validation'],
    ),
  ],
)
def test_other_layouts_are_told(tmp_path, user_error, files, told):
  for name in files:
    path = tmp_path / name
    if name.endswith('.png'):
      write(path)
    else:
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_text('no picture')
  with user_error(tmp_path, *told):
    load_folder(data_dir=tmp_path)


def test_an_empty_class_folder_is_told(tmp_path, user_error):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  (tmp_path / 'c').mkdir()
  with user_error('no pictures', 'in c of', tmp_path):
    load_folder(data_dir=tmp_path)


def test_a_wrong_data_dir_is_told(tmp_path, user_error):
  (tmp_path / 'notes.txt').write_text('no archive')
  with user_error(tmp_path / 'none', 'does not exist', 'data_dir'):
    load_folder(data_dir=tmp_path / 'none')
  with user_error(tmp_path / 'notes.txt', 'neither a folder', '.tar.gz'):
    load_folder(data_dir=tmp_path / 'notes.txt')
  for nothing in (None, ''):
    with user_error('name the one', '--config.data_dir='):
      load_folder(data_dir=nothing)


def test_a_folder_that_may_not_be_read_is_told(
  tmp_path, monkeypatch, user_error
):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  list_folder = os.scandir

  def refuse(path):
    if path == tmp_path / 'b':
      raise PermissionError(13, 'Permission denied')
    return list_folder(path)

  # Patched, since root, as which tests may run, can read everything.
  monkeypatch.setattr(os, 'scandir', refuse)
  with user_error(tmp_path / 'b', 'Permission denied'):
    load_folder(data_dir=tmp_path)


@pytest.mark.parametrize(
  ('arguments', 'told'),
  [
    ({'image_size': -1}, 'image_size is -1'),
    ({'image_size': (0, 20)}, 'image_size is (0, 20)'),
    ({'background': 256}, 'background is 256'),
    ({'channels': 2}, 'channels is 2'),
    ({'test_share': 0.0}, 'test_share is 0.0'),
    ({'test_share': 1.0}, 'test_share is 1.0'),
  ],
)
def test_arguments_out_of_range_are_told(tmp_path, user_error, arguments, told):
  write_classes(tmp_path, {'a': 2, 'b': 2})
  with user_error(told):
    load_folder(data_dir=tmp_path, **arguments)
