"""The reference of the command line, from the program's own help."""

import os
import re
import subprocess
import sys

_INTRODUCTION = """\
# Command line

What `capsjax --help` prints, and the help of each command. `python -m capsjax`
is the same program. `--config.FIELD=VALUE` sets a
[field of the configuration](configuration.md).
"""
# A line that lists a command and what it does.
_COMMAND = re.compile(r'^ {2,4}([a-z]+) {2,}\S', re.M)


def page() -> str:
  """Returns the page."""
  whole = _help()
  parts = [_INTRODUCTION, _block(whole)]
  for command in dict.fromkeys(_COMMAND.findall(whole)):
    text = _help(command)
    # A program without help of its own for a command prints the whole.
    if text != whole:
      parts += [f'## capsjax {command}\n', _block(text)]
  return '\n'.join(parts)


def _help(*words: str) -> str:
  """Returns what the program prints with --help."""
  done = subprocess.run(
    [sys.executable, '-m', 'capsjax', *words, '--help'],
    env=os.environ | {'COLUMNS': '80', 'NO_COLOR': '1'},
    capture_output=True,
    text=True,
    check=True,
  )
  return done.stdout.rstrip().replace('__main__.py', 'capsjax')


def _block(text: str) -> str:
  return f'```text\n{text}\n```\n'
