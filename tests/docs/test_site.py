"""The documentation builds without warnings and needs nothing from outside."""

import dataclasses
import html.parser
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
import typing
import urllib.parse
from pathlib import Path

import filelock
import nbformat
import pytest

from capsjax.runs import Config
from tests.conftest import REPOSITORY
from website import architecture

PACKAGES = (
  *('capsjax', 'capsjax.ops', 'capsjax.layers', 'capsjax.models'),
  *('capsjax.nnx', 'capsjax.data', 'capsjax.examples', 'capsjax.training'),
  *('capsjax.visualization', 'capsjax.runs'),
)
# Tags that make a browser fetch something, and the attribute that says what.
FETCHED = {'href': ('link',), 'src': ('script', 'img', 'iframe', 'source')}


class Page(html.parser.HTMLParser):
  """What a page fetches, where it links to, and its anchors."""

  def __init__(self, path: Path):
    super().__init__()
    self.fetched: list[str] = []
    self.links: list[str] = []
    self.anchors: set[str] = set()
    self.text = path.read_text()
    self.feed(self.text)

  def handle_starttag(self, tag, attrs):
    for name, value in attrs:
      if value and tag in FETCHED.get(name, ()):
        self.fetched.append(value)
      if value and tag == 'a' and name == 'href':
        self.links.append(value)
      if value and name in ('id', 'name'):
        self.anchors.add(value)


@pytest.fixture(scope='module')
def site(tmp_path_factory):
  """Builds the site as `make docs` does, once for all processes of pytest."""
  shared = tmp_path_factory.getbasetemp()
  if 'PYTEST_XDIST_WORKER' in os.environ:
    shared = shared.parent  # the folder of this session
  folder, log = shared / 'site', shared / 'site.log'
  with filelock.FileLock(shared / 'site.lock'):
    if not log.exists():
      done = subprocess.run(
        [sys.executable, *sphinx_options(), 'docs', folder],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=540,
      )
      log.write_text(f'{done.returncode}\n{done.stderr}')
  status, _, text = log.read_text().partition('\n')
  assert status == '0', text
  return folder


def sphinx_options() -> list[str]:
  """Returns `-m sphinx` and the options of `make docs`."""
  makefile = (REPOSITORY / 'Makefile').read_text()
  (line,) = re.findall(r'\$\(BIN\)/python (-m sphinx .*)', makefile)
  *options, source, _ = shlex.split(line)
  assert source == 'docs' and '--fail-on-warning' in options
  return options


@pytest.fixture(scope='module')
def pages(site):
  return {path: Page(path) for path in site.rglob('*.html')}


def is_outside(address: str) -> bool:
  return bool(urllib.parse.urlsplit(address).netloc)


def test_nothing_is_fetched_from_elsewhere(site, pages):
  assert len(pages) > 25
  found = {a for page in pages.values() for a in page.fetched if is_outside(a)}
  assert not found
  for path in site.rglob('*.css'):
    text = path.read_text()
    assert not re.findall(r'(?:url\(|@import)\W*(?:https?:)?//\S+', text), path


def test_every_link_leads_to_a_page_and_an_anchor(pages):
  dead = []
  for path, page in pages.items():
    for link in page.links:
      parts = urllib.parse.urlsplit(link)
      if parts.scheme:
        continue
      target = path
      if parts.path:
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
      anchor = urllib.parse.unquote(parts.fragment)
      is_there = target.is_file() and (
        not anchor or target not in pages or anchor in pages[target].anchors
      )
      if not is_there:
        dead.append(f'{path.name}: {link}')
  assert not dead


@pytest.mark.parametrize('package', PACKAGES)
def test_every_public_name_is_documented(package, pages):
  anchors = set().union(*(page.anchors for page in pages.values()))
  module = importlib.import_module(package)
  missing = [
    name
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
    # A name of several packages is documented in one of them.
    and not any(f'{other}.{name}' in anchors for other in PACKAGES)
  ]
  assert not missing


def test_every_field_of_the_configuration_is_described(site):
  text = (site / 'reference' / 'configuration.html').read_text()

  def check(kind):
    for field in dataclasses.fields(kind):
      if 'rule' in field.metadata:
        assert f'>{field.name}<' in text, field.name
        first_word = field.metadata['meaning'].split()[0]
        assert first_word.strip(":,'") in text
      for section in typing.get_args(field.type) or (field.type,):
        if dataclasses.is_dataclass(section):
          check(section)

  check(Config)


def test_the_help_of_the_program_is_shown(site):
  text = (site / 'reference' / 'command-line.html').read_text()
  for word in ('--workdir', '--pictures', '--checkpoint', 'evaluate'):
    assert word in text


def test_the_tutorial_shows_its_outputs(site, pages):
  page = pages[site / 'tutorial.html']
  pictures = [address for address in page.fetched if address.endswith('.png')]
  assert len(pictures) >= 8
  assert 'test error' in page.text
  assert 'Traceback' not in page.text and 'Warning' not in page.text
  # As the tutorial says of its network.
  wrong = int(re.findall(r'(\d+) of 360 digits are wrong', page.text)[0])
  assert wrong < 20


def test_formulas_are_drawn_without_a_script(site, pages):
  text = pages[site / 'tutorial.html'].text
  assert '<math ' in text and '$$' not in text
  scripts = [a for a in pages[site / 'tutorial.html'].fetched if '.js' in a]
  assert not [script for script in scripts if 'mathjax' in script.lower()]


def test_the_stored_tutorial_has_no_outputs():
  # Each build of the site executes it, so stored outputs would only go stale.
  notebook = nbformat.read(REPOSITORY / 'docs' / 'tutorial.ipynb', 4)
  nbformat.validate(notebook)
  assert not [cell for cell in notebook.cells if cell.get('outputs')]


@pytest.mark.parametrize('scheme', architecture.COLOURS)
def test_the_picture_of_the_network_is_that_of_the_model(scheme):
  path = architecture.FOLDER / f'network-{scheme}.svg'
  hint = 'run python -m website.architecture'
  assert path.read_text() == architecture.picture(scheme), hint
