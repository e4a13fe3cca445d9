"""The command `completion`: completes command lines in a shell."""

import os
import sys

from capsjax.commands.command_line import create_parser
from capsjax.commands.parser import Parser
from capsjax.runs import shipped
from capsjax.runs.config import Config
from capsjax.runs.fields import named_fields

# The shell's function sets it when it asks for completions.
VARIABLE = '_ARGCOMPLETE'


def run(shell: str) -> None:
  """Prints the function that a shell calls to complete a command line.

  Args:
    shell: 'bash', 'zsh' or 'fish'.

  Raises:
    ModuleNotFoundError: argcomplete is not installed.
  """
  from argcomplete.shell_integration import shellcode

  print(shellcode(['capsjax'], shell=shell))


def answer() -> None:
  """Prints the completions of the shell's command line, and exits."""
  try:
    import argcomplete
  except ModuleNotFoundError:
    sys.exit(1)
  program, parsers = create_parser()
  words = os.environ.get('COMP_LINE', '').split()
  implies_train = words[1:] and words[1].startswith('--')
  for parser in parsers.values():
    _add_completions(parser)
  argcomplete.autocomplete(parsers['train'] if implies_train else program)
  sys.exit()


def _add_completions(parser: Parser) -> None:
  """Adds every field as an option, and the names of configurations."""
  from argcomplete.completers import DirectoriesCompleter, FilesCompleter

  folders, files = DirectoriesCompleter(), FilesCompleter()
  for action in parser.actions:
    if action.dest == 'workdir':
      action.completer = folders  # type: ignore[attr-defined]
    elif action.dest == 'config':
      action.completer = (  # type: ignore[attr-defined]
        lambda prefix, **_: [*shipped.names(), *files(prefix)]
      )
  if any(action.dest == 'config' for action in parser.actions):
    for field in named_fields(Config()):
      truth = (True, False) if isinstance(field.default, bool) else None
      parser.add_argument(
        f'--config.{field.name}',
        choices=field.rule.values or truth,
        help=field.meaning,
      )
