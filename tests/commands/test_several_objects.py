"""Training on overlapping objects, and the commands for such runs."""

import base64
import json
import re

import numpy as np
import pytest
from PIL import Image

from tests.running import TINY_NETWORK, capsjax

TINY = (
  '--config.dataset=digits',
  '--config.num_epochs=1',
  '--config.train_size=600',
  '--config.batch_size=60',
  '--config.log_every_steps=2',
  *TINY_NETWORK,
  '--config.pairs.padding=2',
  '--config.pairs.max_shift=2',
  '--config.optimizer.learning_rate=0.01',
  '--config.pictures.num_images=3',
)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Trains a small run and returns its folder and what training printed."""
  workdir = tmp_path_factory.mktemp('several') / 'run'
  words = ('--config', 'configs/multi_mnist.py', '--workdir', workdir)
  done = capsjax(*words, *TINY)
  assert done.status == 0, done.err
  return workdir, done.out


@pytest.fixture(scope='module')
def evaluation(trained):
  """Runs `evaluate` and returns its record and what it printed."""
  workdir, _ = trained
  done = capsjax('evaluate', '--workdir', workdir)
  assert done.status == 0, done.err
  return json.loads((workdir / 'evaluation.json').read_text()), done.out


def test_pairs_of_images_are_trained_on_and_counted(trained, evaluation):
  workdir, printed = trained
  record, table = evaluation
  assert '600 training + 360 test images, 32x32x1' in printed
  assert 'two in each image' in printed
  lines = (workdir / 'metrics.jsonl').read_text().splitlines()
  accuracy = json.loads(lines[-1])['test/accuracy']
  assert record['count'] == 360
  assert record['error_percent'] == pytest.approx(100 * (1 - accuracy))
  assert f'{record["error_percent"]:.2f}%' in table
  by_class = np.sum(record['confusion'], 1)
  assert by_class.sum() == 2 * 360 and by_class.min() > 40
  # A pair is correct only if both digits are found, so single digits are found
  # more often.
  found = np.diag(record['confusion']) / by_class
  np.testing.assert_allclose(record['class_recall'], found)
  assert record['accuracy'] < np.average(found, weights=by_class) < 1


def test_objects_are_drawn_in_two_colours(trained):
  workdir, _ = trained
  done = capsjax('reconstruct', '--workdir', workdir)
  assert done.status == 0, done.err
  path = workdir / 'pictures' / 'reconstructions.png'
  assert f'written to {path}' in done.out
  red, green, _ = np.moveaxis(
    np.asarray(Image.open(path).convert('RGB')), -1, 0
  )
  for one, other in ((red, green), (green, red)):
    assert ((one > 200) & (other < 20)).sum() > 100


def test_the_report_tells_of_both_objects(trained, evaluation):
  workdir, _ = trained
  done = capsjax('report', '--workdir', workdir)
  assert done.status == 0, done.err
  page = (workdir / 'report.html').read_text()
  titles = re.findall(r'>([^<]*)</h2>', page)
  assert {'Summary', 'Training', 'Reconstructions', 'Configuration'} <= set(
    titles
  )
  # These sections support only one class per image.
  assert not {'Worst mistakes', 'Perturbations', 'Couplings'} & set(titles)
  record, _ = evaluation
  wrong = round(record['error_percent'] / 100 * 360)
  assert f'{wrong:,} of 360' in page
  assert f'{record["error_percent"]:.2f}%' in page
  for image in re.findall(r'src="data:image/png;base64,([^"]+)"', page):
    assert base64.b64decode(image).startswith(b'\x89PNG')


@pytest.mark.parametrize('command', ['perturb', 'explore'])
def test_what_is_for_one_object_refuses_two(trained, command):
  workdir, _ = trained
  refusal = capsjax(command, '--workdir', workdir).refusal
  assert 'several objects' in refusal and 'reconstruct' in refusal
  assert not (workdir / 'explorer.html').exists()
  assert not list(workdir.glob('pictures/perturb*'))


def test_both_objects_of_a_picture_are_predicted(trained, tmp_path):
  """A picture has the size of the pairs and is not padded again."""
  workdir, _ = trained
  path = tmp_path / 'two.png'
  Image.new('L', (64, 64), 90).save(path)
  done = capsjax('predict', '--workdir', workdir, '--pictures', path)
  assert done.status == 0, done.err
  (scores,) = json.loads((workdir / 'predictions.json').read_text())[
    'scores'
  ].values()
  first, second, third = sorted(scores, key=scores.get, reverse=True)[:3]
  names = f'{first} {scores[first]:.2f}, {second} {scores[second]:.2f}'
  assert f'{names}  (then {third} {scores[third]:.2f})' in done.out
