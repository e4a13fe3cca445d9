"""Other tests of a run: those available now, and those available later."""

import dataclasses
import functools
import json

import pytest
from PIL import Image

from capsjax.data import load_dataset
from experiments import suite
from experiments.comparison import Comparison
from experiments.records import Records
from experiments.runs import Run
from tests.experiments.test_suite import TINY
from tests.running import beside, run

COMPARISON = Comparison(
  name='example',
  title='A small network',
  runs=(Run('tiny', 'digits', TINY, other_tests=('digits', 'folder')),),
  sizes={'cpu': ('--config.num_epochs=1',)},
  num_seeds={'cpu': 1},
)


@pytest.fixture
def command(tmp_path):
  """Runs the command with these words; returns its output and the record."""

  def give(*words):
    main = functools.partial(suite.main, COMPARISON)
    words = ('--runs-dir', tmp_path, '--data-dir', tmp_path / 'data', *words)
    done = beside(run, main, *words)
    assert done.status == 0, done.err
    (record,) = Records(tmp_path / 'example.json').find('tiny', 'cpu')
    return done.out, record

  return give


def test_what_is_missing_is_measured_when_its_files_are_there(
  command, tmp_path
):
  said, record = command()
  assert f'not measured on folder: {tmp_path / "data"}' in said
  assert record.other_tests == {'digits': record.error}

  # The same pictures as files; the training ones are not used.
  for split, last in (('train', 64), ('test', None)):
    examples = load_dataset('digits').test
    for index, image in enumerate(examples.images[:last]):
      path = tmp_path / 'data' / split / f'{examples.labels[index]}'
      path.mkdir(parents=True, exist_ok=True)
      Image.fromarray(image[..., 0]).save(path / f'{index}.png')
  said, again = command()
  assert 'training  1 epoch' not in said and 'digits:' not in said
  assert again.other_tests == record.other_tests | {'folder': record.error}

  said, _ = command()
  assert 'other tests' not in said


def test_a_run_that_is_not_the_recorded_one_is_not_measured(command, tmp_path):
  _, record = command()
  records = Records(tmp_path / 'example.json')
  records.add(dataclasses.replace(record, other_tests={}, epochs=2.0))
  said, found = command()
  assert 'is not at 2 epochs' in said and not found.other_tests

  records.add(dataclasses.replace(record, other_tests={}))
  path = tmp_path / 'cpu' / 'mnist' / 'tiny' / 'seed0' / 'config.json'
  config = json.loads(path.read_text()) | {'batch_size': 32}
  path.write_text(json.dumps(config))
  said, found = command()
  assert 'batch_size=32' in said and not found.other_tests


def test_early_stopping_by_validation_does_not_matter(command):
  """The other tests read no training images and hold none out."""
  words = ('validation_size=64', 'stop_at_accuracy=0.99', 'train_size=128')
  _, record = command(*(f'--config.{word}' for word in words))
  assert record.other_tests == {'digits': record.error}
