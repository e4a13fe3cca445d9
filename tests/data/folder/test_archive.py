import gzip
import io
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from capsjax.data.folder.load import load_folder


def png(value):
  file = io.BytesIO()
  Image.new('L', (4, 3), value).save(file, 'PNG')
  return file.getvalue()


FILES = {
  f'{folder}/{i}.png': png(20 * i + 100 * (folder == 'dog'))
  for folder in ('cat', 'dog')
  for i in range(6)
}


def add(tar, name, data, **fields):
  info = tarfile.TarInfo(name)
  info.size = len(data)
  for field, value in fields.items():
    setattr(info, field, value)
  tar.addfile(info, io.BytesIO(data))


def write_tar(path, files, *, mode='w:gz', prefix=''):
  with tarfile.open(path, mode) as tar:
    for name, data in files.items():
      add(tar, prefix + name, data)
  return path


def write_zip(path, files, *, prefix=''):
  with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
    for name, data in files.items():
      archive.writestr(prefix + name, data)
  return path


def write_folder(path, files):
  for name, data in files.items():
    (path / name).parent.mkdir(parents=True, exist_ok=True)
    (path / name).write_bytes(data)
  return path


def assert_same(dataset, other):
  assert dataset.class_names == other.class_names
  for name in ('train', 'test'):
    split, same = getattr(dataset, name), getattr(other, name)
    np.testing.assert_array_equal(split.images, same.images)
    np.testing.assert_array_equal(split.labels, same.labels)


@pytest.fixture
def plain(tmp_path):
  """Returns the data set of the same files in a folder."""
  return load_folder(data_dir=write_folder(tmp_path / 'plain', FILES))


# Not sorted by name.
SHUFFLED = {name: FILES[name] for name in reversed(FILES)}


@pytest.mark.parametrize('prefix', ['', './', 'pets/', './pets//images/'])
@pytest.mark.parametrize(
  ('name', 'mode'),
  [('x.tar.gz', 'w:gz'), ('X.TGZ', 'w:gz'), ('x.tar', 'w'), ('x.zip', None)],
)
@pytest.mark.parametrize('inside', [True, False])
def test_archives_are_read_like_folders(
  tmp_path, plain, name, mode, prefix, inside
):
  folder = tmp_path / 'packed'
  folder.mkdir()
  (folder / '.hidden.zip').touch()
  if mode:
    path = write_tar(folder / name, SHUFFLED, mode=mode, prefix=prefix)
  else:
    path = write_zip(folder / name, SHUFFLED, prefix=prefix)
  assert_same(load_folder(data_dir=folder if inside else path), plain)
  # Nothing is unpacked.
  assert len(list(folder.iterdir())) == 2


def test_archives_packed_by_other_programs(tmp_path, plain):
  for kind in ('gztar', 'tar', 'zip'):
    shutil.make_archive(str(tmp_path / 'a'), kind, tmp_path / 'plain')
  for name in ('a.tar.gz', 'a.tar', 'a.zip'):
    assert_same(load_folder(data_dir=tmp_path / name), plain)


def test_splits_in_an_archive(tmp_path):
  files = {f'train/{name}': data for name, data in FILES.items()}
  files |= {'test/dog/7.png': png(7), 'val/cat/8.png': png(8)}
  for path in (
    write_tar(tmp_path / 'a.tgz', files),
    write_zip(tmp_path / 'a.zip', files),
  ):
    dataset = load_folder(data_dir=path)
    assert len(dataset.train) == 12
    assert dataset.test.labels.tolist() == [1]
    assert dataset.test.images.ravel().tolist() == [7] * 12
    assert dataset.validation.images.ravel().tolist() == [8] * 12


def test_what_is_hidden_or_no_picture_is_ignored(tmp_path, plain):
  strange = {'__MACOSX/cat/._0.png': b'x', 'cat/.DS_Store': b'x'}
  strange |= {'cat/Thumbs.db': b'x', '.x/cat/1.png': b'x', 'README': b'x'}
  tar = write_tar(tmp_path / 'a.tar.gz', strange | FILES)
  assert_same(load_folder(data_dir=tar), plain)
  archive = write_zip(tmp_path / 'a.zip', strange | FILES)
  assert_same(load_folder(data_dir=archive), plain)


def test_every_kind_is_read_and_the_rest_is_counted(tmp_path, caplog):
  def picture(kind):
    file = io.BytesIO()
    Image.new('L', (4, 3), 90).save(file, kind)
    return file.getvalue()

  kinds = ('bmp', 'gif', 'tiff', 'webp')
  files = {
    f'{name}/{kind}.{kind}': picture(kind) for name in 'ab' for kind in kinds
  } | {'a/1.heic': b'x', 'b/2.heic': b'x', 'labels.csv': b'x'}
  for path in (
    write_tar(tmp_path / 'a.tgz', files),
    write_zip(tmp_path / 'a.zip', files),
  ):
    caplog.clear()
    dataset = load_folder(data_dir=path)
    assert len(dataset.train) + len(dataset.test) == 8
    assert f'3 files of other kinds in {path} (2 .heic, 1 .csv)' in caplog.text


def test_strange_members_of_a_tar_are_not_read(tmp_path, plain):
  (tmp_path / 'secret.png').write_bytes(png(1))
  path = tmp_path / 'a.tar'
  with tarfile.open(path, 'w') as tar:
    for name, data in FILES.items():
      add(tar, name, data)
    target = str(tmp_path / 'secret.png')
    add(tar, 'cat/link.png', b'', type=tarfile.SYMTYPE, linkname=target)
    add(tar, 'cat/hard.png', b'', type=tarfile.LNKTYPE, linkname='cat/1.png')
    add(tar, 'cat/fifo.png', b'', type=tarfile.FIFOTYPE)
    add(tar, 'cat/device.png', b'', type=tarfile.CHRTYPE)
    add(tar, 'other', b'', type=tarfile.SYMTYPE, linkname=str(tmp_path))
    add(tar, '../cat/escape.png', b'no picture')
  assert_same(load_folder(data_dir=path), plain)


def test_strange_members_of_a_zip_are_not_read(tmp_path, plain):
  path = write_zip(tmp_path / 'a.zip', FILES)
  with zipfile.ZipFile(path, 'a') as archive:
    link = zipfile.ZipInfo('cat/link.png')
    link.external_attr = 0o120777 << 16
    archive.writestr(link, str(tmp_path / 'secret.png'))
    archive.writestr('../cat/escape.png', b'no picture')
  assert_same(load_folder(data_dir=path), plain)


def test_the_last_of_several_files_of_a_name_counts(tmp_path, plain):
  path = tmp_path / 'a.tar'
  with tarfile.open(path, 'w') as tar:
    add(tar, 'cat/3.png', png(250))
    add(tar, 'dog/3.png', b'damaged')
    for name, data in FILES.items():
      add(tar, name, data)
  assert_same(load_folder(data_dir=path), plain)


def test_the_last_one_counts_whichever_is_decoded_first(tmp_path):
  rng = np.random.default_rng(0)
  noise = rng.integers(0, 256, (2, 8, 150, 150, 3), np.uint8)
  path = tmp_path / 'a.tar'
  with tarfile.open(path, 'w') as tar:
    for version in noise:
      for i, pixels in enumerate(version):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, 'PNG')
        add(
          tar,
          f'{"train" if i < 6 else "test"}/{i % 2}/{i}.png',
          file.getvalue(),
        )
  images = load_folder(data_dir=path).train.images
  np.testing.assert_array_equal(images, noise[1, [0, 2, 4, 1, 3, 5]])


def test_an_empty_class_folder_is_told(tmp_path, user_error):
  path = write_tar(tmp_path / 'a.tar', FILES, mode='w')
  with tarfile.open(path, 'a') as tar:
    add(tar, 'eel', b'', type=tarfile.DIRTYPE)
  with user_error('in eel of', path):
    load_folder(data_dir=path)
  path = write_zip(tmp_path / 'a.zip', FILES | {'eel/': b''})
  with user_error('in eel of', path):
    load_folder(data_dir=path)


def test_damaged_pictures_are_told(tmp_path, user_error):
  files = FILES | {'cat/1.png': b'', 'dog/4.png': FILES['dog/4.png'][:-25]}
  for path in (
    write_tar(tmp_path / 'a.tgz', files),
    write_zip(tmp_path / 'a.zip', files),
  ):
    with user_error('2 of 12', path, 'cat/1.png (empty)', 'dog/4.png'):
      load_folder(data_dir=path)


def test_one_archive_of_several_must_be_named(tmp_path, user_error):
  first = write_tar(tmp_path / 'a.tgz', FILES)
  write_zip(tmp_path / 'b.zip', FILES)
  with user_error(tmp_path, 'several archives (a.tgz, b.zip)', 'to one of'):
    load_folder(data_dir=tmp_path)
  assert len(load_folder(data_dir=first).class_names) == 2


def test_pictures_come_before_an_archive_beside_them(tmp_path, plain):
  write_folder(tmp_path / 'both', FILES)
  write_zip(tmp_path / 'both' / 'a.zip', {'x/1.png': png(0)})
  assert_same(load_folder(data_dir=tmp_path / 'both'), plain)


@pytest.mark.parametrize('name', ['a.tar', 'a.tgz', 'a.tar.gz', 'a.zip'])
@pytest.mark.parametrize('data', [b'', b'no archive' * 200])
def test_no_archives_are_told(tmp_path, user_error, name, data):
  path = tmp_path / name
  path.write_bytes(data)
  with user_error('cannot read', path, 'get it again'):
    load_folder(data_dir=path)


def test_no_cut_off_archive_passes(tmp_path, user_error):
  paths = [
    write_tar(tmp_path / 'a.tar', FILES, mode='w'),
    write_tar(tmp_path / 'a.tgz', FILES),
    write_zip(tmp_path / 'a.zip', FILES),
  ]
  for path in paths:
    whole = path.read_bytes()
    # Of the blocks of zeros at a tar's end, all but one are padding.
    end = 12 * 1024 if path.suffix == '.tar' else len(whole) - 1
    for size in range(1, end, 499 if path.suffix == '.tar' else 23):
      path.write_bytes(whole[:size])
      with user_error(path):
        load_folder(data_dir=path)
  # Cut exactly between two files.
  paths[0].write_bytes(write_tar(paths[0], FILES, mode='w').read_bytes()[:8192])
  with user_error(paths[0], 'cut off'):
    load_folder(data_dir=paths[0])


def test_a_damaged_header_in_a_tar_is_told(tmp_path, user_error):
  path = write_tar(tmp_path / 'a.tar', FILES, mode='w')
  data = bytearray(path.read_bytes())
  data[9 * 1024 + 3] ^= 0xFF
  path.write_bytes(data)
  with user_error(path, 'damaged'):
    load_folder(data_dir=path)


def test_damage_inside_a_compressed_archive_is_told(tmp_path, user_error):
  path = tmp_path / 'a.tgz'
  whole = gzip.compress(
    write_tar(tmp_path / 'a.tar', FILES, mode='w').read_bytes(),
    compresslevel=0,
  )
  at = whole.index(FILES['dog/5.png'])
  # In the pixels and in the checksum.
  for place in (at + 45, len(whole) - 6):
    data = bytearray(whole)
    data[place] ^= 1
    path.write_bytes(data)
    with user_error('cannot read', path, 'CRC'):
      load_folder(data_dir=path)


def test_damage_inside_a_zip_is_told(tmp_path, user_error):
  path = write_zip(tmp_path / 'a.zip', FILES)
  data = bytearray(path.read_bytes())
  data[60] ^= 1
  path.write_bytes(data)
  with user_error('cannot read', path, 'get it again'):
    load_folder(data_dir=path)


def test_an_encrypted_zip_is_told(tmp_path, user_error):
  path = write_zip(tmp_path / 'a.zip', FILES)
  data = bytearray(path.read_bytes())
  # Bit 0 of the first file's flags, in its local and its central header.
  data[6] |= 1
  data[data.index(b'PK\1\2') + 8] |= 1
  path.write_bytes(data)
  with user_error('cannot read', path, 'encrypted'):
    load_folder(data_dir=path)


def test_cifar10_as_jpeg(shared_data):
  folder = shared_data / 'cifar10_jpeg'
  original = shared_data / 'cifar10' / 'data_batch_1_first4000.bin.gz'
  if not (folder.is_dir() and original.exists()):
    pytest.skip(f'no CIFAR-10 in {shared_data}')
  dataset = load_folder(data_dir=folder)
  assert (len(dataset.train), len(dataset.test)) == (50000, 10000)
  assert dataset.image_shape == (32, 32, 3)
  assert ' '.join(dataset.class_names) == (
    'airplane automobile bird cat deer dog frog horse ship truck'
  )
  for split, count in ((dataset.train, 5000), (dataset.test, 1000)):
    assert (np.diff(split.labels) >= 0).all()
    assert np.bincount(split.labels).tolist() == [count] * 10
  # Each original has its picture, up to the JPEG loss.
  records = np.frombuffer(gzip.decompress(original.read_bytes()), np.uint8)
  records = records.reshape(-1, 3073)[:50]
  pixels = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  coarse = dataset.train.images[:, ::8, ::8].reshape(50000, -1).astype(int)
  for label, picture in zip(records[:, 0], pixels.astype(int), strict=True):
    distances = ((coarse - picture[::8, ::8].reshape(-1)) ** 2).mean(1)
    near = np.argsort(distances)[:20]
    errors = (dataset.train.images[near] - picture) ** 2
    errors = errors.mean((1, 2, 3))
    assert errors.min() < 200
    assert dataset.train.labels[near[errors.argmin()]] == label
