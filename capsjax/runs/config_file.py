"""Reads the files that configurations are written in.

A file is Python with a function `get_config()`, or YAML or JSON with the fields
that differ from the defaults:

    base: mnist  # or leave it out, to start from the defaults
    num_epochs: 10
    optimizer:
      learning_rate: 0.01
    model.routing.num_iterations: 1
"""

import dataclasses
import json
import runpy
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ml_collections import ConfigDict, FieldReference

from capsjax.errors import UserError, nearest, nearest_path, one_line
from capsjax.runs import shipped
from capsjax.runs.config import Config

# How the fields of a YAML or JSON file name the configuration to start from.
BASE = 'base'


def find(path: Path) -> Path:
  """Returns the file of a configuration.

  Args:
    path: a file, or the name of a configuration that comes with capsjax.

  Raises:
    UserError: if there is no such file.
  """
  found = shipped.find(path)
  if found.is_file():
    return found
  near = nearest_path(path) or ' or '.join(nearest(path.stem, shipped.names()))
  hint = f'did you mean {near}?' if near else 'capsjax configs lists the names'
  raise UserError(f'there is no configuration {path}; {hint}')


def read(path: Path) -> tuple[ConfigDict, dict[str, Any]]:
  """Reads a configuration.

  Args:
    path: a file that exists.

  Returns:
    The configuration that the file starts from, and the fields that it sets, by
    dotted name. A Python file has set its fields already.

  Raises:
    UserError: if the file cannot be read.
  """
  if path.suffix == '.py':
    return _read_python(path), {}
  if path.suffix not in ('.json', '.yaml', '.yml'):
    raise UserError(
      f'{path} must be a Python, YAML or JSON file, named .py, .yaml or .json'
    )
  fields = _read_fields(path)
  base = fields.pop(BASE, None)
  if base is None:
    return to_config_dict(Config()), fields
  if not isinstance(base, str):
    raise UserError(f'{path}: {BASE} must be the name of a configuration')
  start = find(Path(base))
  if start.suffix != '.py':
    raise UserError(f'{path}: {BASE} must name a Python file, not {base}')
  return _read_python(start), fields


def to_config_dict(section: Any) -> ConfigDict:
  """Returns a configuration, or a section of it, as files may change it."""
  values = ConfigDict()
  for declared in dataclasses.fields(section):
    value = getattr(section, declared.name)
    if dataclasses.is_dataclass(value):
      value = to_config_dict(value)
    elif len(declared.metadata['kinds']) > 1:
      # Otherwise, ConfigDict would only take values of the type of this one.
      value = FieldReference(value, field_type=object)
    values[declared.name] = value
  return values


def _read_fields(path: Path) -> dict[str, Any]:
  parse: Callable[[str], Any]
  parse = json.loads if path.suffix == '.json' else yaml.safe_load
  try:
    values = parse(path.read_text(encoding='utf-8'))
  except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
    raise UserError(f'{path} cannot be read: {one_line(error)}') from error
  if not isinstance(values, Mapping):
    raise UserError(f'{path} must hold fields, such as "num_epochs: 10"')
  return dict(_flatten(values))


def _flatten(
  values: Mapping[Any, Any], prefix: str = ''
) -> Iterator[tuple[str, Any]]:
  for name, value in values.items():
    if isinstance(value, Mapping) and value:
      yield from _flatten(value, f'{prefix}{name}.')
    else:
      yield f'{prefix}{name}', value


def _read_python(path: Path) -> ConfigDict:
  """Runs `get_config` of a file.

  It may import files beside it, and `configs`, unless its own folder has that
  name.
  """
  before = sys.path
  beside, ours = path.resolve().parent, shipped.folder().parent
  sys.path = [str(beside.parent), str(beside), *before, str(ours)]
  try:
    get_config = runpy.run_path(str(path)).get('get_config')
    config = get_config() if get_config else None
  except Exception as error:
    raise UserError(f'{path} cannot be run: {one_line(error)}') from error
  finally:
    sys.path = before
  if not isinstance(config, ConfigDict):
    raise UserError(
      f'{path} must have a get_config() that returns a ConfigDict; see '
      'capsjax.default_config()'
    )
  return config
