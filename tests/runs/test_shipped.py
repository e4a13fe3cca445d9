"""Configurations that come with the package are found by name, anywhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from capsjax.errors import UserError
from capsjax.runs import load_config, shipped
from tests.running import REPOSITORY, capsjax


def test_every_configuration_has_a_name_and_a_line():
  files = {path.stem for path in (REPOSITORY / 'configs').glob('*.py')}
  found = shipped.names()
  assert found.keys() == files - {'__init__', 'base'}
  assert found['digits'] == "The paper's CapsNet on scikit-learn's 1,797 " + (
    'handwritten digits'
  )
  out = capsjax('configs').out.splitlines()
  assert [line.split()[0] for line in out] == list(found)


def test_a_name_is_as_good_as_a_path():
  path = REPOSITORY / 'configs' / 'mnist_official.py'
  assert load_config('mnist_official') == load_config(path)


def test_a_misspelt_name_gets_a_suggestion():
  with pytest.raises(UserError, match=r'no configuration mnst; did.*mnist'):
    load_config('mnst')


def test_a_file_of_one_s_own_can_start_from_ours(tmp_path):
  path = tmp_path / 'mine.py'
  path.write_text(
    'from configs import digits\n'
    'def get_config():\n'
    '  config = digits.get_config()\n'
    '  config.num_epochs = 3\n'
    '  return config\n'
  )
  assert load_config(path).num_epochs == 3
  assert load_config(path).dataset == 'digits'


def test_an_installed_package_has_them(tmp_path):
  """As the wheel lays them out: see pyproject.toml."""
  site = tmp_path / 'site'
  shutil.copytree(REPOSITORY / 'capsjax', site / 'capsjax')
  shutil.copytree(REPOSITORY / 'configs', site / 'capsjax' / 'configs')
  done = installed(site, 'config', 'digits')
  assert done.returncode == 0, done.stderr
  listed = installed(site, 'configs')
  assert listed.returncode == 0, listed.stderr
  assert listed.stdout == capsjax('configs').out
  words = ['--config', 'digits', '--config.dataset=nothing']
  refused = installed(site, *words)
  assert refused.returncode == 2
  assert 'nothing' in refused.stderr


def installed(site: Path, *words: str) -> subprocess.CompletedProcess[str]:
  """Runs `python -m capsjax` in a folder that is not the checkout."""
  empty = site.parent / 'empty'
  empty.mkdir(exist_ok=True)
  return subprocess.run(
    [sys.executable, '-m', 'capsjax', *words],
    cwd=empty,
    env=os.environ | {'PYTHONPATH': str(site)},
    capture_output=True,
    text=True,
  )
