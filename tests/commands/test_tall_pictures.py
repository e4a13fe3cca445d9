"""Few drawings of one class and many of another, higher than wide."""

import json

import numpy as np
import pytest
from PIL import Image, ImageOps

from capsjax.runs.trained_run import TrainedRun
from tests.running import TINY_NETWORK, capsjax

SIZES = {'bar': 40, 'dot': 8}


def drawing(kind, rng):
  """Draws a black shape on white, 60 high and 40 wide."""
  pixels = np.full((60, 40), 255, np.uint8)
  y, x = rng.integers(4, 16, 2)
  if kind == 'bar':
    pixels[y : y + 40, x : x + 8] = 0
  else:
    pixels[y + 10 : y + 26, x : x + 16] = 0
  return Image.fromarray(pixels)


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
  folder = tmp_path_factory.mktemp('tall') / 'pictures'
  rng = np.random.default_rng(0)
  for name, count in SIZES.items():
    (folder / name).mkdir(parents=True)
    for number in range(count):
      drawing(name, rng).save(folder / name / f'{number}.png')
  (folder / 'dot' / 'more.heic').write_bytes(b'no picture')
  return folder


@pytest.fixture(scope='module')
def trained(pictures):
  """Trains on them and returns the run's folder and what training printed."""
  workdir = pictures.parent / 'run'
  done = capsjax(
    *('--config', 'custom', '--workdir', workdir),
    f'--config.data_dir={pictures}',
    '--config.images.size=(24, 16)',
    '--config.loss.class_weights=balanced',
    *('--config.num_epochs=2', '--config.batch_size=16'),
    *(field for field in TINY_NETWORK if 'strides' not in field),
    '--config.model.max_primary_capsules=100',
  )
  assert done.status == 0, done.err
  return workdir, done


def predict(workdir, output, *pictures):
  """Returns the scores by file name, and the warnings."""
  words = ('--workdir', workdir, '--output', output, '--pictures', *pictures)
  done = capsjax('predict', *words)
  assert done.status == 0, done.err
  record = json.loads((output / 'predictions.json').read_text())
  return record['scores'], done.err


def test_what_was_read_is_told(trained):
  workdir, done = trained
  assert '38 training + 10 test images, 24x16x1, 2 classes' in done.out
  assert 'skipped 1 file of other kinds' in done.err
  assert '(1 .heic)' in done.err
  config = json.loads((workdir / 'config.json').read_text())
  assert config['images']['size'] == [24, 16]


def test_predictions_are_those_of_the_evaluation(trained, pictures, tmp_path):
  workdir, _ = trained
  scores, warnings = predict(workdir, tmp_path, pictures / 'bar')
  assert not warnings
  run = TrainedRun.open(workdir)
  name = str(pictures / 'bar' / '3.png')
  small = Image.open(name).resize((16, 24), Image.Resampling.LANCZOS)
  expected = run.scores(np.asarray(small))
  np.testing.assert_allclose(list(scores[name].values()), expected, atol=1e-5)


@pytest.mark.parametrize('mode', ['RGBA', 'LA'])
def test_drawings_on_nothing_are_seen_on_white(
  trained, pictures, tmp_path, mode
):
  """White is the background of the training images."""
  for name in ('bar/1', 'dot/2'):
    grey = Image.open(pictures / f'{name}.png')
    clear = Image.new('L', grey.size)  # Black, and opaque where grey is dark.
    image = Image.merge('LA', (clear, ImageOps.invert(grey)))
    path = tmp_path / 'clear' / f'{name}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    image.convert(mode).save(path)
  clear, warnings = predict(trained[0], tmp_path, tmp_path / 'clear')
  assert not warnings
  opaque, _ = predict(trained[0], tmp_path, pictures)
  for name, scores in clear.items():
    other = opaque[name.replace(str(tmp_path / 'clear'), str(pictures))]
    assert scores == pytest.approx(other)


def test_who_is_unlike_the_training_images_is_told(trained, pictures, tmp_path):
  for name in ('1', '2'):
    image = ImageOps.invert(Image.open(pictures / 'bar' / f'{name}.png'))
    image.save(tmp_path / f'{name}.bmp')
  Image.new('L', (40, 60), 255).save(tmp_path / 'white.gif')
  kept = pictures / 'dot' / '1.png'
  _, warnings = predict(trained[0], tmp_path / 'out', kept, tmp_path)
  blank, unlike = warnings.splitlines()
  assert '1 of 4 pictures show a single colour' in blank
  assert blank.endswith(f'({tmp_path / "white.gif"})')
  assert '2 of 4 pictures do not resemble the training images' in unlike
  assert '1.bmp' in unlike and '2.bmp' in unlike


def test_a_rare_class_counts_as_much(trained, tmp_path):
  workdir, _ = trained
  done = capsjax('evaluate', '--workdir', workdir, '--output', tmp_path)
  assert done.status == 0, done.err
  record = json.loads((tmp_path / 'evaluation.json').read_text())
  confusion = np.array(record['confusion'])
  assert confusion.sum(1).tolist() == [8, 2]
  recall = np.diag(confusion) / [8, 2]
  assert record['class_names'] == ['bar', 'dot']
  np.testing.assert_allclose(record['class_recall'], recall)
  assert record['balanced_accuracy'] == pytest.approx(recall.mean())
  assert f'balanced accuracy    {100 * recall.mean():.2f}%' in done.out
  for row, name in enumerate(('0 bar', '1 dot')):
    (line,) = (s for s in done.out.splitlines() if s.startswith(name))
    assert line.endswith(f' {100 * recall[row]:.2f}%')
  done = capsjax('report', '--workdir', workdir, '--output', tmp_path)
  assert done.status == 0, done.err
  page = (tmp_path / 'report.html').read_text()
  assert f'>{100 * recall.mean():.2f}%<' in page
  assert 'balanced accuracy' in page


def test_the_size_stays(trained):
  words = ('--workdir', trained[0], '--config.num_epochs=3')
  refusal = capsjax(*words, '--config.images.size=(16, 24)').refusal
  assert 'images.size=(24, 16), not (16, 24)' in refusal
