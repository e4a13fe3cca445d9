"""Parses the command line.

Nothing slow is imported here, so help and error messages appear at once.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from capsjax.commands.options import COMMANDS, add_loudness
from capsjax.commands.parser import Parser
from capsjax.errors import UserError, did_you_mean, nearest
from capsjax.runs.config import Config
from capsjax.runs.fields import named_fields
from capsjax.runs.overrides import split_override
from capsjax.version import VERSION

_DESCRIPTION = """\
Train capsule networks with dynamic routing, and see what they learned.

  capsjax --config digits                 train; needs no download
  capsjax report --workdir runs/digits    see how it went
"""
_EPILOG = """\
`capsjax COMMAND --help` explains a command. `capsjax --config NAME` is short
for `capsjax train --config NAME`.
"""
_OF_PROGRAM = ('-h', '--help', '--version')


def parse(
  argv: Sequence[str] | None,
) -> tuple[argparse.Namespace, list[str]]:
  """Parses the command line.

  Args:
    argv: the command-line arguments; `sys.argv[1:]` if None.

  Returns:
    The options, whose `command` is the name of the command, and the arguments
    that override fields of the configuration.

  Raises:
    UserError: if there is a mistake.
  """
  overrides, words = split_overrides(sys.argv[1:] if argv is None else argv)
  program, parsers = create_parser()
  if words[:1] and words[0] in _OF_PROGRAM or not (words or overrides):
    program.parse_args(words or ['--help'])
  command, rest = _split_command(words)
  parser = parsers[command]
  options, unknown = parser.parse_known_args(rest)
  if unknown:
    _refuse(unknown[0], parser, parsers, is_implied=rest == words)
  if overrides and not hasattr(options, 'config'):
    raise UserError(f'{command} takes no fields such as {overrides[0]}')
  _require_sense(options, overrides)
  options.command = command
  return options, overrides


def split_overrides(words: Sequence[str]) -> tuple[list[str], list[str]]:
  """Separates configuration overrides from all other arguments.

  Args:
    words: the arguments; `--config.seed=1` and `--noconfig.diagnostics` are
      overrides.

  Returns:
    The overrides, and the other arguments.

  Raises:
    UserError: if an override has no value.
  """
  prefixes = ('--config.', '--noconfig.')
  overrides = [word for word in words if word.startswith(prefixes)]
  for word in overrides:
    split_override(word)
  return overrides, [word for word in words if word not in overrides]


def create_parser() -> tuple[Parser, dict[str, Parser]]:
  """Returns the parser of the program, and that of each command."""
  program = Parser('capsjax', description=_DESCRIPTION, epilog=_EPILOG)
  version = f'capsjax {VERSION}'
  program.add_argument(
    '--version', action='version', version=version, help='show the version'
  )
  commands = program.add_subparsers(title='commands', metavar='COMMAND')
  parsers = {}
  for name, command in COMMANDS.items():
    summary = f'{command.summary[0].upper()}{command.summary[1:]}.'
    parsers[name] = commands.add_parser(
      name, help=command.summary, description=summary, epilog=command.details
    )
    for add_option in (*command.add_options, add_loudness):
      add_option(parsers[name])
  return program, parsers


def _split_command(words: Sequence[str]) -> tuple[str, Sequence[str]]:
  """Returns the command, which may be left out, and the other words."""
  if not words or words[0].startswith('-'):
    return 'train', words
  if words[0] not in COMMANDS:
    hint = did_you_mean(words[0], COMMANDS)
    raise UserError(f'there is no command {words[0]}; {hint}')
  return words[0], words[1:]


def _refuse(
  word: str, parser: Parser, parsers: dict[str, Parser], *, is_implied: bool
) -> NoReturn:
  """Raises a UserError about a word that the parser does not know."""
  name = word.partition('=')[0]
  if is_implied and word in COMMANDS:
    raise UserError(f'put the command first: capsjax {word} ...')
  if not word.startswith('-'):
    parser.error(f'{parser.prog} does not take {word!r}')
  takers = [
    command for command, other in parsers.items() if name in other.option_names
  ]
  if takers:
    raise UserError(f'{parser.prog} takes no {name}; {", ".join(takers)} can')
  # What people may have meant, by what they may have written.
  meant = {}
  for field in named_fields(Config()):
    for written in (field.name.rpartition('.')[2], *field.also):
      meant[written] = f'--config.{field.name}'
  for command, other in parsers.items():
    for option in other.option_names:
      meant[_plain(option)] = f'{option}, which {command} takes'
  meant |= {_plain(option): option for option in parser.option_names}
  near = nearest(_plain(name), meant)
  hint = f'did you mean {meant[near[0]]}?' if near else f'see {parser.prog} -h'
  raise UserError(f'there is no option {name}; {hint}')


def _plain(option: str) -> str:
  return option.lstrip('-').replace('-', '_')


def _require_sense(
  options: argparse.Namespace, overrides: Sequence[str]
) -> None:
  """Refuses options that contradict each other."""
  several = getattr(options, 'num_processes', None) is not None or (
    getattr(options, 'process_id', None) is not None
  )
  if several and options.coordinator is None:
    raise UserError('--num-processes and --process-id need --coordinator')
  workdirs = getattr(options, 'workdir', None)
  if not isinstance(workdirs, list) or len(workdirs) < 2:
    return
  if options.config or overrides:
    raise UserError('to compare runs, leave out --config and its fields')
  if options.checkpoint != 'latest':
    raise UserError('a comparison covers whole runs and takes no --checkpoint')
