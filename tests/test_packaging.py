"""The declared dependencies and files are those tested and shipped."""

import ast
import itertools
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Written so that this file does not match itself.
FORBIDDEN = {
  'a registry address': re.compile(
    r'py[p]i\.org|pythonhoste[d]\.org|(?:extra-)?index[-_]ur[l]|find-link[s]'
    r'|registry\.npmj[s]|debian\.or[g]/debian'
  ),
  "a path of one person's machine": re.compile(
    r'(?<![\w.$~}])/(?:home|User[s]|roo[t])/\w'
  ),
}


@pytest.fixture(scope='module')
def project(repository: Path) -> dict:
  return tomllib.loads((repository / 'pyproject.toml').read_text())['project']


def requirements_of_the_package(project: dict) -> list[str]:
  extras = project['optional-dependencies']
  optional = (extras[name] for name in ('export', 'tfds', 'wandb'))
  return [*project['dependencies'], *itertools.chain(*optional)]


def lower_bounds(requirements: list[str]) -> dict[str, str]:
  bounds = {}
  for text in requirements:
    requirement = Requirement(text)
    (specifier,) = requirement.specifier
    assert specifier.operator == '>=', f'{text}: a lower bound and no other'
    bounds[canonicalize_name(requirement.name)] = specifier.version
  return bounds


def pins(path: Path) -> dict[str, str]:
  lines = path.read_text().splitlines()
  pairs = (line.split('==') for line in lines if not line.startswith('#'))
  return {canonicalize_name(name): version for name, version in pairs}


def tracked_files(repository: Path) -> list[Path]:
  # In CI, the clone may belong to a user other than the one running the tests.
  command = ['git', '-c', 'safe.directory=*', 'ls-files', '-z']
  listing = subprocess.run(
    [*command, '--cached', '--others', '--exclude-standard'],
    cwd=repository,
    capture_output=True,
    text=True,
  )
  if listing.returncode:
    pytest.skip('not a git checkout, so nothing says which files are ours')
  paths = (repository / name for name in listing.stdout.split('\0') if name)
  return [path for path in paths if path.is_file()]


def test_oldest_pins_are_the_declared_lower_bounds(repository, project):
  declared = lower_bounds(requirements_of_the_package(project))
  pinned = pins(repository / 'tests' / 'constraints' / 'oldest.txt')
  assert {name: pinned[name] for name in declared} == declared


@pytest.mark.parametrize('version', ['3.11', '3.12', '3.13', '3.14'])
def test_everything_that_the_check_needs_is_pinned(
  version, repository, project
):
  pinned = pins(repository / 'tests' / 'constraints' / f'python{version}.txt')
  of_tests = project['optional-dependencies']['test']
  texts = [*requirements_of_the_package(project), *of_tests]
  for requirement in map(Requirement, texts):
    if not requirement.extras:
      found = pinned[canonicalize_name(requirement.name)]
      assert found in requirement.specifier, requirement


def test_accelerators_are_extras_only(project):
  # `jax[cuda]` in the core would install gigabytes of CUDA for CPU users.
  core = [Requirement(text) for text in project['dependencies']]
  assert not [str(requirement) for requirement in core if requirement.extras]
  names = {requirement.name for requirement in core}
  assert not names & {'tensorflow', 'tensorflow-datasets', 'torch'}
  extras = project['optional-dependencies']
  assert set(extras) == {
    *('cuda', 'tpu', 'export', 'tfds', 'wandb'),
    *('test', 'bench'),
  }


def test_every_import_is_declared(repository, project):
  # A package that only a dependency brings along does not count.
  declared = {
    canonicalize_name(Requirement(text).name)
    for text in requirements_of_the_package(project)
  }
  imported = set()
  for path in (repository / 'capsjax').rglob('*.py'):
    for node in ast.walk(ast.parse(path.read_text())):
      if isinstance(node, ast.Import):
        imported |= {alias.name for alias in node.names}
      elif isinstance(node, ast.ImportFrom):
        imported.add(str(node.module))
  packages = {name.partition('.')[0] for name in imported}
  providers = metadata.packages_distributions()
  undeclared = {
    package
    for package in packages - sys.stdlib_module_names - {'capsjax'}
    if not declared
    & {canonicalize_name(name) for name in providers.get(package, [package])}
  }
  assert not undeclared


def test_the_console_script_exists(project):
  module, _, function = project['scripts']['capsjax'].partition(':')
  assert callable(getattr(__import__(module, fromlist=[function]), function))


@pytest.mark.parametrize('what', FORBIDDEN)
def test_no_file_names(what, repository):
  found = []
  for path in tracked_files(repository):
    text = path.read_bytes().decode('utf-8', errors='ignore')
    for number, line in enumerate(text.splitlines(), 1):
      if FORBIDDEN[what].search(line):
        found.append(f'{path.relative_to(repository)}:{number}: {line.strip()}')
  assert not found, f'{what}:\n' + '\n'.join(found)


def test_the_licence_is_unmodified_apache_2(repository, project):
  text = (repository / 'LICENSE').read_text()
  assert project['license'] == 'Apache-2.0'
  assert text.split()[:5] == ['Apache', 'License', 'Version', '2.0,', 'January']
  assert 'END OF TERMS AND CONDITIONS' in text
  assert len(text) == 11358


def test_the_wheel_holds_the_configurations(repository):
  """Where capsjax.runs.shipped looks for them."""
  pyproject = tomllib.loads((repository / 'pyproject.toml').read_text())
  wheel = pyproject['tool']['hatch']['build']['targets']['wheel']
  assert wheel['force-include'] == {'configs': 'capsjax/configs'}
