"""The exported classifier, used by programs that cannot import capsjax."""

import json
import shutil
import subprocess
import sys
import textwrap
from importlib import metadata
from unittest import mock

import jax
import numpy as np
import pytest

import capsjax as library
from capsjax import main
from capsjax.data import load_digits
from tests.running import REPOSITORY, TINY_NETWORK, beside, capsjax, run

ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
# Images are cropped and standardised at test too.
PREPARED = (
  *('--config', 'configs/cifar10.py', '--config.dataset=digits'),
  *(*TINY_NETWORK, '--config.model.has_decoder=False'),
  *('--config.images.crop_size=24', '--config.images.standardize=True'),
  *('--config.num_epochs=1', '--config.train_size=60'),
  *('--config.batch_size=20', '--config.stop_at_accuracy=0'),
)
# Runs the Python in its first argument for parts of the images.
PROGRAM = """
import sys
import numpy as np

sys.modules['capsjax'] = None  # Importing it fails.
_, lines, paths, *counts = sys.argv
images_path, scores_path = paths.split(',')
all_images, found = np.load(images_path), {}
for count in counts:
  names = {'images': all_images[: int(count)]}
  exec(lines, names)
  found[count] = names['scores']
np.savez(scores_path, **found)
"""


@pytest.fixture(scope='module')
def workdir(tmp_path_factory):
  """Returns the folder of a run on digits."""
  folder = tmp_path_factory.mktemp('export')
  shutil.unpack_archive(ARCHIVE, folder)
  return folder / 'run'


@pytest.fixture(scope='module')
def exported(workdir):
  """Exports that run and returns what was printed."""
  done = capsjax('export', '--workdir', workdir)
  assert done.status == 0, done.err
  return done.out


@pytest.fixture(scope='module')
def images():
  return load_digits().test.images[:5]


def scores_without_capsjax(printed, images, folder):
  """Runs the lines printed in a new Python, for 1 image and for all."""
  lines = [line for line in printed.splitlines() if line.startswith('  ')]
  assert len(lines) == 3
  np.save(folder / 'images.npy', images)
  words = (textwrap.dedent('\n'.join(lines)), 'images.npy,scores.npz')
  subprocess.run(
    [sys.executable, '-I', '-c', PROGRAM, *words, '1', str(len(images))],
    cwd=folder,
    check=True,
    timeout=240,
  )
  return np.load(folder / 'scores.npz')


def assert_same_scores(found, workdir, images):
  trained = library.load(workdir)
  assert set(found) == {'1', str(len(images))}
  for count in found:
    expected = trained.scores(images[: int(count)])
    assert found[count].dtype == np.float32
    np.testing.assert_allclose(found[count], expected, rtol=1e-4, atol=1e-5)


def test_the_lines_printed_classify_without_capsjax(
  exported, workdir, images, tmp_path
):
  found = scores_without_capsjax(exported, images, tmp_path)
  assert_same_scores(found, workdir, images)


def test_images_are_prepared_as_for_a_test(images, tmp_path):
  workdir = tmp_path / 'run'
  done = capsjax(*PREPARED, '--workdir', workdir)
  assert done.status == 0, done.err
  done = capsjax('export', '--workdir', workdir)
  assert done.status == 0, done.err
  found = scores_without_capsjax(done.out, images, tmp_path)
  assert_same_scores(found, workdir, images)


def test_the_program_is_for_every_platform_and_one_device(exported, workdir):
  from jax import export

  path = workdir / 'classifier.stablehlo'
  assert f'{path} ({path.stat().st_size / 1e6:.1f} MB)' in exported
  program = export.deserialize(bytearray(path.read_bytes()))
  assert program.platforms == ('cpu', 'cuda', 'tpu')
  assert program.nr_devices == 1
  (images,), (scores,) = program.in_avals, program.out_avals
  assert images.str_short() == 'uint8[batch,28,28,1]'
  assert scores.str_short() == 'float32[batch,10]'


def test_the_program_lacks_the_decoder_and_names_no_source_file(
  exported, workdir
):
  from jax import export

  content = (workdir / 'classifier.stablehlo').read_bytes()
  program = export.deserialize(bytearray(content)).mlir_module()
  of_network = flat(library.load(workdir).params)
  for name, is_there in (
    ('primary_capsules.cell.kernel', True),
    ('decoder.Dense_0.kernel', False),
    ('decoder.Dense_1.kernel', False),
  ):
    sizes = 'x'.join(map(str, of_network[name].shape))
    assert (f' tensor<{sizes}xf32>' in program) == is_there, name
  assert b'.py' not in content


def flat(params):
  """Returns the parameters by the names of the path to each."""
  return {
    '.'.join(part.key for part in path): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }


def test_the_weights_are_the_parameters_by_name(exported, workdir):
  import safetensors

  expected = flat(library.load(workdir).params)
  assert 'class_capsules.kernel' in expected
  path = workdir / 'weights.safetensors'
  assert f'{path} ({path.stat().st_size / 1e6:.1f} MB)' in exported
  with safetensors.safe_open(path, 'np') as file:
    assert set(file.keys()) == set(expected)
    for name, leaf in expected.items():
      found = file.get_tensor(name)
      assert found.dtype == leaf.dtype
      np.testing.assert_array_equal(found, leaf, err_msg=name)
    described = file.metadata()
  assert json.loads(described.pop('class_names')) == [*map(str, range(10))]
  assert json.loads(described.pop('image_shape')) == [28, 28, 1]
  assert described == {
    'dataset': 'digits',
    'classifier_input': 'uint8 [batch, 28, 28, 1]',
    'step': '88',
    'capsjax_version': metadata.version('capsjax'),
  }


def test_a_run_is_exported_without_its_data_and_elsewhere(workdir, tmp_path):
  before = set(workdir.rglob('*'))
  words = ('--workdir', workdir, '--output', tmp_path / 'out')
  words += ('--config.dataset=mnist', '--config.data_dir=/nowhere/at/all')
  done = capsjax('export', *words, '--checkpoint', '88')
  assert done.status == 0, done.err
  assert {path.name for path in (tmp_path / 'out').iterdir()} == {
    *('weights.safetensors', 'classifier.stablehlo')
  }
  assert set(workdir.rglob('*')) == before


def test_a_missing_checkpoint_is_told(workdir):
  refusal = capsjax('export', '--workdir', workdir, '--checkpoint', '7').refusal
  assert '7' in refusal and '88' in refusal


def without(package, *words):
  with mock.patch.dict(sys.modules, {package: None}):
    return run(main.main, *words)


@pytest.mark.parametrize('package', ['safetensors', 'flatbuffers'])
def test_a_missing_package_is_told(package, workdir, tmp_path):
  words = ('export', '--workdir', workdir, '--output', tmp_path / 'out')
  refusal = beside(without, package, *words).refusal
  assert f'needs {package};' in refusal
  assert "pip install 'capsjax[export]'" in refusal
  assert not (tmp_path / 'out').exists()
