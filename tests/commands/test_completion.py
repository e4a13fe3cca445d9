"""Completion, asked as the shell's function asks."""

import os
import subprocess
import sys

import pytest

from tests.running import REPOSITORY, capsjax


def completions(line, tmp_path):
  """Returns what the program offers at the end of a command line."""
  answer = tmp_path / 'answer'
  done = subprocess.run(
    [sys.executable, '-m', 'capsjax'],
    env=os.environ
    | {
      '_ARGCOMPLETE': '1',
      '_ARGCOMPLETE_SHELL': 'bash',
      '_ARGCOMPLETE_STDOUT_FILENAME': str(answer),
      'COMP_LINE': line,
      'COMP_POINT': str(len(line)),
      'PYTHONPATH': str(REPOSITORY),
    },
    cwd=tmp_path,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return {word.strip() for word in answer.read_text().split('\013')}


@pytest.mark.parametrize(
  ('line', 'offered'),
  [
    ('capsjax ev', {'evaluate'}),
    ('capsjax con', {'config', 'configs'}),
    ('capsjax --work', {'--workdir'}),
    ('capsjax predict --pic', {'--pictures'}),
    ('capsjax --config aff', {'affnist', 'affnist_cnn'}),
    ('capsjax config dig', {'digits'}),
    ('capsjax train --config.see', {'--config.seed'}),
    (
      'capsjax evaluate --config.pictures.num',
      {'--config.pictures.num_images'},
    ),
    ('capsjax train --config.model.padding V', {'VALID'}),
    ('capsjax report --workdir ru', {'runs/'}),
  ],
)
def test_a_tab_completes(line, offered, tmp_path):
  (tmp_path / 'runs').mkdir()
  assert completions(line, tmp_path) == offered


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_the_shell_gets_a_function(shell):
  done = capsjax('completion', shell)
  assert done.status == 0
  assert '_ARGCOMPLETE' in done.out and 'capsjax' in done.out
