"""Every public function has an example, and every example is right."""

import doctest
import inspect
import shutil
from types import ModuleType

import jax
import pytest

import capsjax
from capsjax import data, layers, models, nnx, ops, visualization
from tests.conftest import REPOSITORY

# A small run on the digits, which examples read as `runs/digits`.
ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
# Interfaces, which nobody calls; each names a class that has them.
PROTOCOLS = {
  'capsjax.layers.routed.CapsuleNorm',
  'capsjax.layers.routed.RouteFn',
  'capsjax.layers.routed.Routing',
  'capsjax.layers.votes.Votes',
}
MODULES = (capsjax, ops, layers, models, nnx, data, visualization)


def examples() -> dict[str, doctest.DocTest]:
  """Returns the examples of each public function and class, by its name."""
  found: dict[str, doctest.DocTest] = {}
  for module in MODULES:
    for name in module.__all__:
      value = getattr(module, name)
      if isinstance(value, ModuleType) or not is_ours(value):
        continue
      home = f'{value.__module__}.{value.__qualname__}'
      found[home] = doctest.DocTestParser().get_doctest(
        inspect.cleandoc(value.__doc__ or ''), {}, home, None, None
      )
  return found


def is_ours(value: object) -> bool:
  return inspect.isfunction(value) or inspect.isclass(value)


EXAMPLES = examples()


@pytest.mark.parametrize('name', EXAMPLES)
def test_there_is_an_example(name):
  assert EXAMPLES[name].examples or name in PROTOCOLS


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder with the run of `capsjax --config digits`."""
  root = tmp_path_factory.mktemp('examples')
  shutil.unpack_archive(ARCHIVE, root)
  (root / 'runs').mkdir()
  (root / 'run').rename(root / 'runs' / 'digits')
  return root


@pytest.mark.parametrize('name', EXAMPLES)
def test_the_example_is_right(name, folder, monkeypatch):
  monkeypatch.chdir(folder)
  report: list[str] = []
  runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
  # optax's Adam promotes types, as JAX does for users.
  promotion = 'standard' if name == 'capsjax.runs.api.train' else 'strict'
  with jax.numpy_dtype_promotion(promotion):
    results = runner.run(EXAMPLES[name], out=report.append)
  assert not results.failed, ''.join(report)
