"""The code in the pages runs, and their commands are understood."""

import re
import shlex
import shutil

import jax
import pytest

from capsjax import main
from capsjax.commands import parse
from capsjax.runs import load_config
from tests import running
from tests.conftest import REPOSITORY
from website import included

# A small run on the digits, in place of `capsjax train --config digits`.
ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
DOCS = REPOSITORY / 'docs'
BLOCK = re.compile(r'^```(python|sh)\n(.*?)^```', re.M | re.S)
WRITTEN = {*DOCS.glob('*.md'), *DOCS.glob('how-to/*.md')}
WRITTEN -= {DOCS / name for name in included.pages()}
PAGES = {
  path.relative_to(DOCS).as_posix(): BLOCK.findall(path.read_text())
  for path in sorted(WRITTEN)
}
# Commands that are run here; other tests run the others, which take longer.
RUN = ('export', 'predict')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """A folder in which `capsjax train --config digits` was run."""
  root = tmp_path_factory.mktemp('pages')
  shutil.unpack_archive(ARCHIVE, root)
  (root / 'runs').mkdir()
  (root / 'run').rename(root / 'runs' / 'digits')
  return root


def test_pages_have_code():
  assert sum(map(bool, PAGES.values())) >= 10
  assert {kind for blocks in PAGES.values() for kind, _ in blocks} == {
    'python',
    'sh',
  }


@pytest.mark.parametrize('page', [page for page in PAGES if PAGES[page]])
def test_the_blocks_of_a_page_work_in_their_order(page, folder, monkeypatch):
  monkeypatch.chdir(folder)
  names: dict[str, object] = {}
  for kind, text in PAGES[page]:
    if kind == 'sh':
      for command in commands(text):
        check(command, folder)
      continue
    # As JAX is set up for users.
    with (
      jax.numpy_dtype_promotion('standard'),
      jax.numpy_rank_promotion('allow'),
    ):
      exec(compile(text, page, 'exec'), names)


def commands(text):
  """Returns the words of each command of capsjax in a block."""
  lines = text.replace('\\\n', ' ').splitlines()
  found = [shlex.split(line) for line in lines if 'capsjax ' in line]
  # Without the variables that precede a command.
  return [
    words[words.index('capsjax') + 1 :] for words in found if words[0] != 'pip'
  ]


def check(words, folder):
  """Runs a short command on the digits' run, and parses any other."""
  options, overrides = parse(words)
  if getattr(options, 'config', None) is not None:
    load_config(options.config, overrides)
  elif words[0] in RUN and 'runs/digits' in words:
    # The helper process works in another folder.
    paths = [folder / word for word in words]
    there = [
      path if path.exists() else word
      for path, word in zip(paths, words, strict=True)
    ]
    done = running.beside(running.run, main.main, *there)
    assert done.status == 0, done.out + done.err
