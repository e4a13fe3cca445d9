"""The snippets and commands in the README work."""

import re
import shlex
import shutil

from capsjax.commands import command_line
from capsjax.runs import configuration
from tests.conftest import REPOSITORY

# A small run on the digits, in place of that of `make digits`.
ARCHIVE = REPOSITORY / 'tests' / 'runs' / 'run_of_november_2026.zip'
README = (REPOSITORY / 'README.md').read_text()


def test_the_snippets_run(tmp_path, monkeypatch):
  shutil.unpack_archive(ARCHIVE, tmp_path)
  (tmp_path / 'runs').mkdir()
  (tmp_path / 'run').rename(tmp_path / 'runs' / 'digits')
  monkeypatch.chdir(tmp_path)
  snippets = re.findall(r'```python\n(.*?)```', README, re.S)
  assert snippets
  for snippet in snippets:
    exec(compile(snippet, 'README.md', 'exec'), {})


def test_the_commands_are_understood(monkeypatch):
  """Each command parses, and its configuration loads with all overrides."""
  monkeypatch.chdir(REPOSITORY)
  lines = README.replace('\\\n', ' ').splitlines()
  pattern = re.compile(r'(?:python -m capsjax\.main|capsjax) (.*?)(?: > .*)?')
  commands = list(filter(None, map(pattern.fullmatch, lines)))
  assert len(commands) >= 10
  for command in commands:
    options, overrides = command_line.parse(shlex.split(command[1]))
    if options.config is not None:
      configuration.load_config(options.config, overrides)


def test_the_configurations_named_are_there():
  named = set(re.findall(r'configs/\w+\.py', README))
  assert named == {
    f'configs/{path.name}'
    for path in (REPOSITORY / 'configs').glob('*.py')
    if path.stem != 'base'
  }
