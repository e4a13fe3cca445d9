"""The notebook runs alone, on a few digits, and installs what is missing."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zipfile

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import REPOSITORY
from tests.running import TINY_NETWORK

TINY = (*TINY_NETWORK, '--config.num_epochs=1', '--config.batch_size=120')
NOTEBOOK = REPOSITORY / 'experiments' / 'colab.ipynb'
TUTORIAL = REPOSITORY / 'docs' / 'tutorial.ipynb'
# Hides capsjax, which is installed in the environment of the tests, runs the
# cell as IPython does, and prints where capsjax then is.
RUN_CELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell

cell, hidden = sys.argv[1:]
sys.path = [path for path in sys.path if path != hidden]
InteractiveShell.instance().run_cell(cell).raise_error()
import capsjax
print(capsjax.__file__)
"""


@pytest.fixture
def notebook():
  found = nbformat.read(NOTEBOOK, as_version=4)
  nbformat.validate(found)
  return found


def tagged(notebook, tag):
  (cell,) = [c for c in notebook.cells if tag in c.metadata.get('tags', ())]
  return cell


@pytest.mark.filterwarnings('ignore')  # Jupyter's own
def test_the_notebook_runs_alone_in_an_empty_folder(
  notebook, tmp_path, monkeypatch
):
  shutil.copy(NOTEBOOK, tmp_path)
  values = 'digits', 'runs/notebook', shlex.join(TINY)
  tagged(
    notebook, 'parameters'
  ).source = f'config, workdir, overrides = {values}'
  # capsjax is found because it is installed, not because it is near.
  monkeypatch.delenv('PYTHONPATH', raising=False)
  monkeypatch.setenv('JUPYTER_PREFER_ENV_PATH', '1')
  NotebookClient(
    notebook, timeout=240, resources={'metadata': {'path': str(tmp_path)}}
  ).execute()
  outputs = [o for c in notebook.cells for o in c.get('outputs', ())]
  text = ''.join(o.get('text', '') for o in outputs)
  assert 'test error' in text
  assert 'Traceback' not in text
  pictures = [o for o in outputs if 'image/png' in o.get('data', {})]
  assert len(pictures) == 3
  agree, others = (
    [float(x) for x in line.split('[')[1].strip(' ]').split()]
    for line in text.splitlines()
    if line.startswith('couplings')
  )
  assert agree == sorted(agree) and agree[-1] > 0.5 > others[-1]


def test_the_first_cell_installs_capsjax_if_it_is_missing(notebook, tmp_path):
  wheel, target = make_wheel(tmp_path), tmp_path / 'installed'
  (tmp_path / 'capsjax').mkdir()  # as a clone of the repository is
  first = notebook.cells[1]
  assert first is tagged(notebook, 'install')
  (source,) = re.findall(r"source = '(.*)'", first.source)
  done = subprocess.run(
    [
      *(sys.executable, '-c', RUN_CELL),
      first.source.replace(source, str(wheel)),
      str(REPOSITORY),
    ],
    cwd=tmp_path,
    env={key: os.environ[key] for key in os.environ if key != 'PYTHONPATH'}
    | {
      'IPYTHONDIR': str(tmp_path / 'ipython'),
      'PIP_NO_INDEX': '1',
      'PIP_TARGET': str(target),
      'PYTHONPATH': str(target),
    },
    capture_output=True,
    text=True,
    timeout=120,
  )
  assert done.returncode == 0, done.stderr
  assert done.stdout.splitlines()[-1].startswith(str(target)), done.stdout


def make_wheel(folder):
  """Writes a wheel named capsjax that holds an empty package."""
  path = folder / 'capsjax-9.9.9-py3-none-any.whl'
  info = 'capsjax-9.9.9.dist-info'
  files = {
    'capsjax/__init__.py': '',
    f'{info}/METADATA': 'Metadata-Version: 2.1\nName: capsjax\n'
    'Version: 9.9.9\n',
    f'{info}/WHEEL': 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\n'
    'Tag: py3-none-any\n',
  }
  record = ''.join(f'{name},,\n' for name in [*files, f'{info}/RECORD'])
  with zipfile.ZipFile(path, 'w') as archive:
    for name, text in {**files, f'{info}/RECORD': record}.items():
      archive.writestr(name, text)
  return path


def test_the_tutorial_installs_capsjax_in_the_same_way(notebook):
  tutorial = nbformat.read(TUTORIAL, as_version=4)
  first = tagged(tutorial, 'install')
  assert first is tutorial.cells[1]
  assert first.source == tagged(notebook, 'install').source


def test_all_addresses_of_the_repository_are_the_declared_one():
  project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())
  urls = project['project']['urls'].values()
  owners = {
    re.findall(r'github\.com/([\w-]+/capsjax)\b', url)[0] for url in urls
  }
  assert len(owners) == 1
  docs = REPOSITORY / 'docs'
  places = [NOTEBOOK, TUTORIAL, REPOSITORY / 'README.md', docs / 'index.md']
  for path in [*places, docs / 'how-to' / 'colab.md']:
    found = re.findall(r'github(?:\.com)?/([\w-]+/capsjax)\b', path.read_text())
    assert found and set(found) == owners, path
