"""The declared dependencies and files are those tested and shipped."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from capsjax.errors import EXTRAS
from tests.running import REPOSITORY

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


# Extras that users install, besides those of accelerators.
OF_USERS = ('completion', 'data', 'export', 'pages', 'tfds', 'wandb')


def requirements_of_the_package(project: dict) -> list[str]:
  extras = project['optional-dependencies']
  return sum((extras[name] for name in OF_USERS), project['dependencies'])


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
  others = {'all', 'cuda', 'tpu', 'docs', 'test', 'bench', 'release'}
  assert set(extras) == {*OF_USERS, *others}


def test_the_core_is_small(project):
  assert len(project['dependencies']) <= 12


def test_a_missing_package_names_its_extra(project):
  """The table of modules and extras is that of pyproject.toml."""
  providers = metadata.packages_distributions()
  extras = project['optional-dependencies']
  declared = {
    (canonicalize_name(Requirement(text).name), extra)
    # The others have messages of their own.
    for extra in set(OF_USERS) - {'tfds', 'wandb'}
    for text in extras[extra]
  }
  named = {
    (canonicalize_name(providers[module][0]), extra)
    for module, extra in EXTRAS.items()
  }
  assert named == declared


@pytest.mark.parametrize(
  ('module', 'words', 'extra'),
  [
    ('sklearn', ['--config', 'digits', '--workdir', 'run'], 'data'),
    ('argcomplete', ['completion', 'bash'], 'completion'),
  ],
)
def test_without_an_extra_one_line_names_it(module, words, extra, tmp_path):
  program = (
    'import sys\n'
    f'sys.modules[{module!r}] = None\n'
    'from capsjax.main import main\n'
    f'sys.exit(main({words!r}))'
  )
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=tmp_path,
    env=os.environ | {'PYTHONPATH': str(REPOSITORY)},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 2, done.stderr
  assert done.stderr == (
    f'capsjax: error: this needs {module}; install it: '
    f"pip install 'capsjax[{extra}]'\n"
  )


def test_the_citation_names_this_version(repository, project):
  citation = yaml.safe_load((repository / 'CITATION.cff').read_text())
  assert citation['version'] == project['version']
  assert citation['license'] == project['license']
  assert citation['repository-code'] == project['urls']['Homepage']
  assert {'title', 'message', 'authors', 'cff-version'} <= set(citation)


def test_the_changelog_tells_of_this_version(repository, project):
  text = (repository / 'CHANGELOG.md').read_text()
  assert f'## {project["version"]}' in text


def test_an_index_shows_the_pictures_of_the_readme(repository):
  """It shows the README alone, so every link must name a server."""
  pyproject = tomllib.loads((repository / 'pyproject.toml').read_text())
  hooks = pyproject['tool']['hatch']['metadata']['hooks']
  text = (repository / 'README.md').read_text()
  for change in hooks['fancy-pypi-readme']['substitutions']:
    text = re.sub(change['pattern'], change['replacement'], text)
  links = re.findall(r'\]\(([^)]+)\)', text)
  assert links
  assert all(link.startswith(('https://', '#')) for link in links), links
  pictures = re.findall(r'!\[[^]]*\]\(([^)]+)\)', text)
  for link in pictures:
    if link.endswith('/colab-badge.svg'):
      continue  # Colab's
    address, _, path = link.partition('/v$HFPR_VERSION/')
    assert address == 'https://raw.githubusercontent.com/capsjax/capsjax'
    assert (repository / path).is_file()


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
