"""The command `config`: every field of a configuration."""

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path

from capsjax.runs.config import Config
from capsjax.runs.configuration import load_config
from capsjax.runs.fields import NamedField, named_fields


def run(path: Path, overrides: Sequence[str], *, as_yaml: bool) -> None:
  """Prints every field with its type, value, meaning and valid values.

  Args:
    path: the configuration's name or file.
    overrides: strings of the form `--config.FIELD=VALUE`.
    as_yaml: whether to print a file that `--config` can read.

  Raises:
    UserError: if there is no such configuration, or a value is invalid.
  """
  print((_yaml if as_yaml else _text)(load_config(path, overrides)))


def _text(config: Config) -> str:
  lines = []
  for field in named_fields(config):
    line = f'{field.name}: {field.type_name} = {field.value!r}'
    if field.value != field.default:
      line += f'  (default: {field.default!r})'
    lines += [line, *_meaning(field, '    ')]
  return '\n'.join(lines)


def _yaml(config: Config) -> str:
  lines = []
  for field in named_fields(config):
    lines += [
      *_meaning(field, '# '),
      f'{field.name}: {json.dumps(field.value)}',
    ]
  return '\n'.join(lines)


def _meaning(field: NamedField, indent: str) -> list[str]:
  must = f' Must be {field.rule.meaning}.' if field.rule.meaning else ''
  return textwrap.wrap(
    field.meaning + must, initial_indent=indent, subsequent_indent=indent
  )
