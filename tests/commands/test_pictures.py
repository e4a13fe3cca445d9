"""The commands that draw, run as a user would on a small run."""

import base64
import json
import re
import shutil

import filelock
import numpy as np
import pytest
from PIL import Image

from tests.running import TINY_NETWORK, capsjax

METRICS = 'metrics.jsonl'
TINY = (
  *('--config', 'configs/digits.py', *TINY_NETWORK),
  *('--config.batch_size=60', '--config.num_epochs=2'),
  *('--config.log_every_steps=2', '--config.pictures.num_images=3'),
  *('--config.pictures.perturbation_steps=3', '--config.diagnostics=True'),
)


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """Trains a small run and returns its folder."""
  workdir = tmp_path_factory.mktemp('trained') / 'run'
  done = capsjax(*TINY, '--workdir', workdir)
  assert done.status == 0, done.err
  return workdir


@pytest.fixture(scope='module')
def drawn(trained):
  """Runs all commands on it and returns what they printed."""
  printed = {}
  for command in ('reconstruct', 'perturb', 'report', 'explore'):
    status, out, err = capsjax(command, '--workdir', trained)
    assert status == 0, err
    assert 'Traceback' not in err
    printed[command] = out
  return printed


def pixels(path):
  return np.asarray(Image.open(path).convert('L'))


def test_reconstructions_are_drawn(drawn, trained):
  path = trained / 'pictures' / 'reconstructions.png'
  assert f'written to {path}' in drawn['reconstruct']
  # A run this short makes enough mistakes to fill both halves of the picture.
  picture = pixels(path)
  assert picture.shape[0] > 400
  assert picture.min() == 0 and picture.max() == 255


def test_every_class_is_perturbed(drawn, trained):
  folder = trained / 'pictures'
  names = {path.name for path in folder.glob('perturbations*.png')}
  one_of_each = {f'perturbations_{label}.png' for label in range(10)}
  assert names == one_of_each | {'perturbations.png'}
  assert pixels(folder / 'perturbations.png').std() > 20


def test_pictures_are_the_same_again(drawn, trained):
  path = trained / 'pictures' / 'reconstructions.png'
  before = path.read_bytes()
  path.unlink()
  assert capsjax('reconstruct', '--workdir', trained)[0] == 0
  assert path.read_bytes() == before


def test_a_report_of_one_run(drawn, trained):
  page = (trained / 'report.html').read_text()
  for title in (
    *('Summary', 'Training', 'Capsules', 'Classes', 'Worst mistakes'),
    *('Reconstructions', 'Perturbations', 'Couplings', 'Configuration'),
  ):
    assert f'>{title}</h2>' in page
  assert '<th scope="row">test error</th>' in page
  assert not re.search(r'<th[^>]*></th>', page)
  images = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
  assert len(images) == 7
  for image in images:
    assert base64.b64decode(image).startswith(b'\x89PNG')
  assert 'http' not in re.sub(r'base64,[^"]+', '', page)
  # The report must show the error that training measured last.
  lines = (trained / 'metrics.jsonl').read_text().splitlines()
  accuracy = [
    record['test/accuracy']
    for record in map(json.loads, lines)
    if 'test/accuracy' in record
  ][-1]
  assert f'{100 * (1 - accuracy):.2f}%' in page


def test_a_report_that_compares(drawn, trained, tmp_path):
  # The first two differ only in the seed, so they form a group; the third does
  # not belong to it.
  folders = [trained, tmp_path / 'seed', tmp_path / 'other']
  for folder, changes in zip(
    folders[1:], [{'seed': 1}, {'batch_size': 30}], strict=True
  ):
    shutil.copytree(trained, folder)
    config = json.loads((folder / 'config.json').read_text())
    (folder / 'config.json').write_text(json.dumps(config | changes))
  # One run of the group has an error ten points above the other, and the third
  # run has not been tested yet.
  lines = (trained / METRICS).read_text().splitlines()
  metrics = [json.loads(line) for line in lines]
  for record in metrics:
    if 'test/accuracy' in record:
      record['test/accuracy'] -= 0.1
      error = 100 * (1 - record['test/accuracy'])
  lines = [json.dumps(record) + '\n' for record in metrics]
  (folders[1] / METRICS).write_text(''.join(lines))
  (folders[2] / METRICS).write_text(lines[0])
  status, out, err = capsjax('report', '--workdir', *folders)
  assert status == 0, err
  assert str(trained / 'comparison.html') in out
  page = (trained / 'comparison.html').read_text()
  assert '3 runs compared' in page
  cells = re.findall(r'<td[^>]*>([^<]*)</td>', page)
  group = cells.index('batch_size=60')
  deviation = 10 / np.sqrt(2)
  expected = f'{error - 5:.2f}% ± {deviation:.2f}'
  assert cells[group + 1 : group + 4] == ['2', '2', expected]
  group = cells.index('batch_size=30')
  assert cells[group + 1 : group + 4] == ['1', '0', '–']


def test_the_explorer_is_written(drawn, trained):
  page = (trained / 'explorer.html').read_text()
  assert 'Capsules of digits' in page
  assert 'open it in a browser' in drawn['explore']


@pytest.mark.parametrize('command', ['reconstruct', 'report', 'explore'])
def test_a_run_that_is_not_there(tmp_path, command):
  (tmp_path / 'empty').mkdir()
  for folder in ('missing', 'empty'):
    status, _, err = capsjax(command, '--workdir', tmp_path / folder)
    assert status == 2
    assert 'holds no run' in err and err.count('\n') == 1
    assert not (tmp_path / folder / 'pictures').exists()


def test_a_run_without_a_checkpoint(trained, tmp_path):
  shutil.copy(trained / 'config.json', tmp_path)
  for command in ('perturb', 'report'):
    status, _, err = capsjax(command, '--workdir', tmp_path)
    assert status == 2
    assert 'no checkpoint yet' in err and err.count('\n') == 1
  status, _, err = capsjax('report', '--workdir', trained, tmp_path)
  assert status == 2
  assert 'metrics.jsonl' in err and err.count('\n') == 1


def test_a_run_that_is_being_trained(trained):
  with filelock.FileLock(trained / '.lock'):
    status, out, _ = capsjax('reconstruct', '--workdir', trained)
  assert status == 0
  assert 'is being trained' in out


def test_half_precision(trained):
  words = ('--workdir', trained, '--config.model.dtype=bfloat16')
  for command in ('reconstruct', 'perturb', 'report'):
    status, _, err = capsjax(command, *words)
    assert status == 0, err


def test_a_checkpoint_of_another_model(trained):
  status, _, err = capsjax(
    'explore', '--workdir', trained, '--config.model.num_types=3'
  )
  assert status == 2
  assert err.count('\n') == 1


def test_a_model_without_a_decoder(trained, tmp_path):
  workdir = tmp_path / 'run'
  words = (
    *(*TINY, '--workdir', workdir),
    *('--config.model.has_decoder=False', '--config.num_epochs=1'),
  )
  assert capsjax(*words)[0] == 0
  for command in ('reconstruct', 'perturb', 'explore'):
    status, _, err = capsjax(command, '--workdir', workdir)
    assert status == 2
    assert 'no decoder' in err and err.count('\n') == 1
  assert capsjax('report', '--workdir', workdir)[0] == 0
  page = (workdir / 'report.html').read_text()
  assert 'Summary' in page and 'Reconstructions' not in page
  assert 'Couplings' in page


def test_one_run_at_a_time_but_for_reports(tmp_path):
  words = ('--workdir', tmp_path, '--workdir', tmp_path / 'other')
  status, _, err = capsjax('perturb', *words)
  assert status == 2
  assert 'give --workdir only once' in err
  status, _, err = capsjax('report', *words, '--checkpoint', 'best')
  assert status == 2
  assert 'no --checkpoint' in err


def test_the_command_comes_first(tmp_path):
  status, _, err = capsjax('--workdir', tmp_path, 'evaluate')
  assert status == 2
  assert 'put the command first: capsjax evaluate' in err


def test_the_range_of_a_perturbation_must_make_sense(trained):
  status, _, err = capsjax(
    'perturb', '--workdir', trained, '--config.pictures.perturbation_steps=1'
  )
  assert status == 2
  assert 'perturbation_steps' in err and 'from 2 to 101' in err
