"""A command restarts with huge pages where Linux offers them."""

import os
import sys

import pytest

from capsjax import huge_pages


@pytest.fixture
def restarted(monkeypatch, tmp_path):
  """Calls the restart under a setting; returns what it would execute."""

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
