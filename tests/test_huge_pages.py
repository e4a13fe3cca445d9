"""A command restarts with huge pages where Linux offers them."""

import os
import sys
from unittest import mock

import nbclient
import nbformat
import pytest

from capsjax import huge_pages
from tests.running import REPOSITORY


@pytest.fixture
def restarted(monkeypatch, tmp_path):
  """Calls the restart under a setting; returns what it would execute."""
  # Other tests may have imported it.
  monkeypatch.delitem(sys.modules, 'IPython', raising=False)

  def call(setting, **environment):
    path = tmp_path / 'enabled'
    if setting is not None:
      path.write_text(setting)
    monkeypatch.setattr(huge_pages, '_SETTING', path)
    monkeypatch.setattr(os, 'environ', dict(environment))
    started = []
    monkeypatch.setattr(os, 'execv', lambda *command: started.append(command))
    huge_pages.restart_with_huge_pages()
    return (*started, os.environ)

  return call


def test_the_same_words_where_programs_may_choose(restarted):
  (program, words), environment = restarted('always [madvise] never', HOME='/')
  assert program == words[0] == sys.executable
  assert words[1:] == sys.orig_argv[1:]
  assert environment == {
    'HOME': '/',
    'GLIBC_TUNABLES': 'glibc.malloc.hugetlb=1',
  }


@pytest.mark.parametrize(
  'setting', ['[always] madvise never', 'always madvise [never]', None]
)
def test_nothing_happens_where_there_is_no_choice(restarted, setting):
  assert restarted(setting) == ({},)


def test_the_users_own_setting_stays(restarted):
  own = {'GLIBC_TUNABLES': 'glibc.malloc.arena_max=1'}
  assert restarted('always [madvise] never', **own) == (own,)


def test_a_notebook_is_not_restarted(restarted, monkeypatch):
  monkeypatch.setitem(sys.modules, 'IPython', sys)
  assert restarted('always [madvise] never', HOME='/') == ({'HOME': '/'},)


def test_run_in_a_notebook_keeps_its_variables(tmp_path):
  """`%run` of the program, as people do it in Jupyter."""
  notebook = nbformat.v4.new_notebook()
  notebook.cells = [
    nbformat.v4.new_code_cell(source)
    for source in (
      'x = 3',
      'import sys; sys.argv = ["capsjax"]',
      f'%run {REPOSITORY}/capsjax/main.py configs',
      'print("still", x)',
    )
  ]
  environment = {k: v for k, v in os.environ.items() if k != 'GLIBC_TUNABLES'}
  with mock.patch.dict(os.environ, environment, clear=True):
    nbclient.NotebookClient(
      notebook, timeout=120, resources={'metadata': {'path': tmp_path}}
    ).execute()
  assert 'digits' in str(notebook.cells[2].outputs)
  assert 'still 3' in str(notebook.cells[3].outputs)
