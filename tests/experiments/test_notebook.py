"""The notebook runs from the first cell to the last, on a few digits."""

import shlex

import nbformat
import pytest
from nbclient import NotebookClient

from tests.running import TINY_NETWORK

TINY = (*TINY_NETWORK, '--config.num_epochs=1', '--config.batch_size=120')


def tagged(notebook, tag):
  (cell,) = [c for c in notebook.cells if tag in c.metadata.get('tags', ())]
  return cell


@pytest.mark.filterwarnings('ignore')  # Jupyter's own
def test_the_notebook_runs(repository, tmp_path, monkeypatch):
  path = repository / 'experiments' / 'colab.ipynb'
  notebook = nbformat.read(path, as_version=4)
  nbformat.validate(notebook)
  # The package is already installed, and CI may not install it again.
  install = tagged(notebook, 'install')
  assert '%pip install' in install.source
  install.source = install.source.replace('%pip', '# %pip')
  workdir = tmp_path / 'run'
  config = repository / 'configs' / 'digits.py'
  values = tuple(map(str, (config, workdir, shlex.join(TINY))))
  parameters = tagged(notebook, 'parameters')
  parameters.source = f'config, workdir, overrides = {values}'
  monkeypatch.setenv('PYTHONPATH', str(repository))
  monkeypatch.setenv('JUPYTER_PREFER_ENV_PATH', '1')
  NotebookClient(
    notebook,
    timeout=240,
    resources={'metadata': {'path': str(path.parent)}},
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
