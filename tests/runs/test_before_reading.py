"""Mistakes are told before images are read, which may take a download."""

from pathlib import Path

import numpy as np
import pytest

from capsjax.data import load_dataset, load_digits, outline
from capsjax.errors import UserError
from capsjax.main import main
from capsjax.runs import RunFolder, load_config, reading, train_run


@pytest.fixture
def unread(monkeypatch):
  """Fails if a data set is read."""

  def fail(*args, **kwargs):
    raise AssertionError('the data set was read')

  monkeypatch.setattr(reading, 'load_dataset', fail)


@pytest.mark.usefixtures('unread')
@pytest.mark.parametrize(
  ('name', 'override', 'hint'),
  [
    ('mnist', 'model.primary_kernel_size=(30, 30)', 'kernel'),
    ('mnist', 'model.routing.num_iterations=0', 'at least 1'),
    ('mnist', 'batch_size=70000', 'larger than the training set of 60000'),
    ('fashion_mnist', 'validation_size=60000', 'must lie in 0 to 59999'),
    ('mnist', 'train_size=60001', 'has 60000 training images'),
    ('mnist', 'stop_at_accuracy=0.9', 'needs a validation set'),
    ('smallnorb', 'num_objects=2', 'channels'),
    ('svhn', 'images.crop_size=40', '40'),
    ('mnist', "freeze=('convolution',)", 'convolution'),
    ('mnist', 'num_devices=99', 'num_devices'),
    ('mnist', 'init_from=nowhere', 'nowhere'),
    ('multi_mnist', 'images.standardize=True', 'standardi'),
  ],
)
def test_a_mistake_is_told_before_reading(name, override, hint, tmp_path):
  with pytest.raises(UserError, match=hint):
    train_run(load_config(name, [f'--config.{override}']), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


@pytest.mark.usefixtures('unread')
def test_without_a_mistake_it_is_read(tmp_path):
  with pytest.raises(AssertionError, match='was read'):
    train_run(load_config('mnist'), tmp_path / 'run')


def assert_outlined(dataset):
  known = outline(dataset.name)
  assert known.num_classes == dataset.num_classes
  for split, real in ((known.train, dataset.train), (known.test, dataset.test)):
    assert split.images.shape == real.images.shape
    assert split.images.dtype == real.images.dtype
    assert np.ptp(split.images.strides[:1]) == 0 == split.images.strides[0]


def test_the_outline_of_the_digits_is_theirs():
  assert_outlined(load_digits())


@pytest.mark.parametrize('name', ['mnist', 'fashion_mnist', 'affine_mnist'])
def test_the_outline_is_that_of_the_data(name, shared_data):
  assert_outlined(load_dataset(name, data_dir=shared_data))


def test_nothing_is_known_of_other_sets():
  assert outline('folder') is None
  assert outline('cifar10') is None


ADDRESSES = ('gs://bucket/run', 's3://bucket/a/b', 'GS://bucket')


@pytest.mark.parametrize('address', ADDRESSES)
def test_an_address_is_no_folder(address, capsys, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  for words in (
    ['--config', 'digits', '--workdir', address],
    ['evaluate', '--workdir', address],
    ['--config', 'mnist', f'--config.data_dir={address}'],
  ):
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f'{address} is no local folder' in line
  assert not list(tmp_path.iterdir())


def test_a_folder_may_have_a_colon(tmp_path):
  assert RunFolder(tmp_path / 'a:b').path.name == 'a:b'
  assert str(RunFolder(Path('a:b/c')).path) == 'a:b/c'
