import numpy as np
import pytest
import scipy.io

from capsjax.data.affnist import read_affnist

SITE = 'https://www.cs.toronto.edu/~tijmen/affNIST/'


def pictures(count, seed=0):
  return np.random.default_rng(seed).integers(0, 256, (count, 40, 40), np.uint8)


def write(path, images, labels, *, packed=True, drop=(), **replace):
  """Writes a file with affNIST's fields, one image per column."""
  columns = np.zeros((1600, len(images)), np.uint8)
  for place, image in enumerate(images):
    for row in range(40):
      columns[40 * row : 40 * row + 40, place] = image[row]
  labels = np.array(labels, np.uint8)
  fields = {
    'affine_trans_to_original': np.zeros((3, 3)),
    'image': columns,
    'label_one_of_n': (np.arange(10)[:, None] == labels).astype(np.uint8),
    'label_int': labels[None],
    'human_readable_transform': np.zeros((6, len(images))),
    **replace,
  }
  kept = {name: field for name, field in fields.items() if name not in drop}
  path.parent.mkdir(parents=True, exist_ok=True)
  scipy.io.savemat(path, {'affNISTdata': kept}, do_compression=packed)
  return path


@pytest.mark.parametrize('packed', [True, False])
@pytest.mark.parametrize('folder', ['affnist', '.'])
def test_one_file_is_read(tmp_path, packed, folder):
  images = pictures(3)
  write(tmp_path / folder / 'test.mat', images, [9, 0, 4], packed=packed)
  split = read_affnist(tmp_path)
  assert split.images.dtype == np.uint8
  assert split.labels.dtype == np.int32
  assert split.images.flags.c_contiguous
  np.testing.assert_array_equal(split.images, images[..., None])
  assert split.labels.tolist() == [9, 0, 4]


def test_a_seven_stands_upright(tmp_path):
  seven = np.zeros((40, 40), np.uint8)
  seven[10, 12:28] = 255  # the bar is at the top
  seven[10:30, 27] = 200  # the stem is on the right
  write(tmp_path / 'test.mat', [seven, seven], [7, 7])
  image = read_affnist(tmp_path).images[1, :, :, 0]
  assert image[10, 12] == 255
  assert image[29, 27] == 200
  assert image[12, 10] == image[27, 29] == 0
  np.testing.assert_array_equal(image, seven)


@pytest.mark.parametrize('folder', ['affnist', '.'])
def test_batches_are_read_in_the_order_of_their_numbers(tmp_path, folder):
  images = pictures(6)
  for place, number in enumerate((1, 2, 10)):
    part = slice(2 * place, 2 * place + 2)
    path = tmp_path / folder / 'test_batches' / f'{number}.mat'
    write(path, images[part], [place, place])
  split = read_affnist(str(tmp_path))
  np.testing.assert_array_equal(split.images, images[..., None])
  assert split.labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_the_nearest_file_comes_first(tmp_path):
  for place, name in enumerate(
    ('affnist/test.mat', 'affnist/test_batches/1.mat', 'test.mat')
  ):
    write(tmp_path / name, pictures(1, seed=place), [place])
  for place, name in enumerate(
    ('affnist/test.mat', 'affnist/test_batches/1.mat', 'test.mat')
  ):
    assert read_affnist(tmp_path).labels.tolist() == [place]
    (tmp_path / name).unlink()


def test_the_users_cache_is_looked_into(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  write(tmp_path / 'capsjax/data/affnist/test.mat', pictures(1), [8])
  assert read_affnist(None).labels.tolist() == [8]


def test_missing_files_are_told(tmp_path, user_error):
  (tmp_path / 'affnist' / 'test_batches').mkdir(parents=True)
  (tmp_path / 'affnist' / 'test.mat.zip').touch()
  with user_error(tmp_path / 'affnist' / 'test.mat', SITE, 'unpack'):
    read_affnist(tmp_path)
  with user_error(tmp_path / 'none', 'does not exist'):
    read_affnist(tmp_path / 'none')


@pytest.mark.parametrize(
  ('change', 'parts'),
  [
    ({'drop': ['image']}, ('affNISTdata lacks the array image',)),
    (
      {'drop': ['image', 'label_int']},
      ('affNISTdata lacks the array image and label_int',),
    ),
    ({'image': np.zeros((1600, 3))}, ('float64', '(1600, 3)', 'uint8')),
    ({'image': np.zeros((784, 3), np.uint8)}, ('(784, 3)', '(1600, 3)')),
    ({'image': np.zeros((3, 1600), np.uint8)}, ('(3, 1600)',)),
    ({'image': np.zeros((1600, 3, 2), np.uint8)}, ('(1600, 3, 2)',)),
    ({'image': np.zeros((1600, 0), np.uint8)}, ('0 images but 3 labels',)),
    ({'label_int': np.zeros((1, 2), np.uint8)}, ('3 images but 2 labels',)),
    ({'label_int': np.array([[1, 2, 10]])}, ('label_int', 'from 0 to 9')),
    ({'label_int': np.array([[1, 2, 0.5]])}, ('label_int', 'from 0 to 9')),
  ],
)
def test_other_content_is_told(tmp_path, user_error, change, parts):
  path = write(tmp_path / 'test.mat', pictures(3), [1, 2, 3], **change)
  with user_error(path, *parts):
    read_affnist(tmp_path)


def test_other_files_are_told(tmp_path, user_error):
  path = tmp_path / 'test.mat'
  scipy.io.savemat(path, {'image': np.zeros((1600, 3), np.uint8)})
  with user_error(path, 'lacks the array affNISTdata'):
    read_affnist(tmp_path)
  path.write_bytes(path.read_bytes()[:-20])
  with user_error(path):
    read_affnist(tmp_path)
  path.unlink()
  path.mkdir()
  with user_error(path, 'cannot read'):
    read_affnist(tmp_path)


def test_a_damaged_batch_is_named(tmp_path, user_error):
  for number in (1, 2):
    path = tmp_path / 'test_batches' / f'{number}.mat'
    write(path, pictures(1), [number])
  path.write_bytes(path.read_bytes()[:1000])
  with user_error(path, 'damaged'):
    read_affnist(tmp_path)
