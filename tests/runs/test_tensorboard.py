"""TensorBoard's files, read back by an independent reader."""

import io

import numpy as np
import pytest
from PIL import Image

from capsjax.errors import UserError
from capsjax.runs.folder import RunFolder
from capsjax.runs.tensorboard import TensorBoardWriter
from capsjax.runs.writers import Writers
from tests.runs.events import (
  hyperparameters_shown,
  read_events,
  scalars_shown,
)


def test_scalars(tmp_path):
  writer = TensorBoardWriter(RunFolder(tmp_path / 'run'))
  writer.write_scalars(2, {'train/loss': 0.5, 'train/accuracy': 1.0})
  writer.write_scalars(4, {'test/loss': 0.25})
  writer.close()
  assert scalars_shown(tmp_path / 'run') == [
    (2, 'train/loss', 0.5),
    (2, 'train/accuracy', 1.0),
    (4, 'test/loss', 0.25),
  ]


def test_a_resumed_run_shows_nothing_twice(tmp_path):
  writer = TensorBoardWriter(RunFolder(tmp_path))
  for step in range(1, 6):
    writer.write_scalars(step, {'loss': float(step)})
  writer.close()
  writer = TensorBoardWriter(RunFolder(tmp_path), resume_step=3)
  writer.write_scalars(4, {'loss': 40.0})
  writer.close()
  assert scalars_shown(tmp_path) == [
    (step, 'loss', loss) for step, loss in [(1, 1), (2, 2), (3, 3), (4, 40)]
  ]


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_images(tmp_path, channels, dtype):
  image = np.arange(4 * 5 * channels).reshape(4, 5, channels).astype(np.uint8)
  given = image if dtype == np.uint8 else (image - 0.3).astype(dtype) / 255
  with Writers([TensorBoardWriter(RunFolder(tmp_path))]) as writer:
    writer.write_images(7, {'test/reconstructions': given})
  [event] = read_events(tmp_path)
  [value] = event.summary.value
  assert (event.step, value.tag) == (7, 'test/reconstructions')
  shown = np.asarray(Image.open(io.BytesIO(value.image.encoded_image_string)))
  np.testing.assert_array_equal(shown, np.broadcast_to(image, (4, 5, 3)))


def test_hyperparameters_are_those_of_the_newest_start_and_only_once(tmp_path):
  values = {'rate': 0.5, 'epochs': 2, 'is_on': True, 'name': '', 'size': (9, 9)}
  for step, epochs in ((0, 2), (2, 3)):
    TensorBoardWriter(
      RunFolder(tmp_path),
      resume_step=step,
      hyperparameters=values | {'epochs': epochs},
      results=['test/error'],
    ).close()
  starts, metrics = hyperparameters_shown(tmp_path)
  assert starts == [
    {'rate': 0.5, 'epochs': 3.0, 'is_on': True, 'name': '', 'size': '(9, 9)'}
  ]
  assert metrics == [['test/error']]
  # One file of each start, one with the hyperparameters, and no folder.
  assert len(list(tmp_path.glob('*.hparams'))) == 1
  assert len(list(tmp_path.iterdir())) == 3
  assert all(path.is_file() for path in tmp_path.iterdir())


def test_unwritable_folder(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(UserError, match='cannot write .*another --workdir'):
    TensorBoardWriter(RunFolder(tmp_path / 'file' / 'run'))
