"""Reads and saves configurations.

Files in `configs/` and the command line use `ml_collections.ConfigDict`; all
other code uses `Config`.
"""

import dataclasses
import json
import re
import runpy
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from capsjax.errors import UserError, did_you_mean, nearest, one_line
from capsjax.files import write_file
from capsjax.runs import fields, shipped
from capsjax.runs.config import (
  BaselineConfig,
  CapsNetConfig,
  Config,
  LossConfig,
)
from capsjax.runs.network_config import (
  EfficientCapsNetConfig,
  MatrixCapsNetConfig,
  SpreadLossConfig,
  VariationalCapsNetConfig,
)

# Sections whose class depends on `model_name`.
_OF_MODEL: dict[str, dict[str, type[Any] | None]] = {
  'capsnet': {'model': CapsNetConfig, 'loss': LossConfig},
  'baseline': {'model': BaselineConfig, 'loss': None},
  'efficient_capsnet': {'model': EfficientCapsNetConfig, 'loss': LossConfig},
  'matrix_capsules': {'model': MatrixCapsNetConfig, 'loss': SpreadLossConfig},
  'vb_capsules': {'model': VariationalCapsNetConfig, 'loss': None},
}
# Fields of older runs, and where they are now.
_MOVED = {
  f'model.{name}': f'model.routing.{name}'
  for name in ('num_iterations', 'stop_gradient', 'leaky')
}


def default_config() -> ConfigDict:
  """Returns the settings that every configuration starts from.

  Returns:
    The paper's settings for MNIST, as a `ConfigDict`; `python -m capsjax.main
    --help-config` lists them with their meanings.
  """
  return ConfigDict(dataclasses.asdict(Config()))


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
  """Reads a configuration, applies overrides and checks it.

  Args:
    path: a Python file with `get_config()`, the name of a configuration that
      comes with capsjax, or the `config.json` of a run.
    overrides: strings of the form `--config.FIELD=VALUE`.

  Returns:
    The configuration.

  Raises:
    UserError: if there is no such file, or a field or value is invalid.
  """
  path = shipped.find(Path(path))
  if not path.is_file():
    hint = did_you_mean(path.stem, shipped.names())
    raise UserError(f'no configuration {path}; {hint}')
  if path.suffix == '.json':
    config = ConfigDict(dataclasses.asdict(_read_json(path)))
  else:
    config = _read_python(path)
  return from_dict(_override(config, overrides).to_dict())


def from_dict(values: Mapping[str, Any], *, is_older: bool = False) -> Config:
  """Creates a configuration from nested dictionaries.

  Args:
    values: fields by name; a tuple may be a list.
    is_older: whether the values are from an older run. If so, a missing field
      gets the value that runs had before the field existed; otherwise, it gets
      its default.

  Raises:
    UserError: if a field is unknown or missing, or a value is invalid.
  """
  of_model = _OF_MODEL.get(str(values.get('model_name')), _OF_MODEL['capsnet'])
  return _section(Config, values, '', is_older, of_model)


def to_json(config: Config) -> str:
  """Returns the text of a run's `config.json`."""
  return json.dumps(dataclasses.asdict(config), indent=2, sort_keys=True) + '\n'


def save_config(config: Config, path: Path) -> None:
  """Writes a run's `config.json`."""
  write_file(path, to_json(config))


def require_continues(
  config: Config, path: Path, *, option: str = '--workdir'
) -> None:
  """Refuses to resume a run with a configuration that computes another run.

  Args:
    config: the new configuration.
    path: the `config.json` of the run, which need not exist.
    option: the option that chooses the run's folder, for the message.

  Raises:
    UserError: if the run exists and differs in a field that may not change.
  """
  if not path.exists():
    return
  old, new = fields.flatten(_read_json(path)), fields.flatten(config)
  may_change = {f.name for f in fields.named_fields(config) if f.may_change}
  for name in sorted((old.keys() | new.keys()) - may_change):
    if old.get(name) != new.get(name):
      raise UserError(
        f'{path.parent} holds a run with {name}={old.get(name)!r}, not '
        f'{new.get(name)!r}; choose another {option}, or resume the run with '
        'its own configuration'
      )


def describe_fields() -> str:
  """Returns the text of `--help-config`: all defaults, meanings and values."""
  lines = []
  for found in fields.named_fields(Config()):
    values = f' Must be {found.rule.meaning}.' if found.rule.meaning else ''
    lines.append(f'--config.{found.name}={found.value!r}')
    lines += textwrap.wrap(
      found.meaning + values, initial_indent='    ', subsequent_indent='    '
    )
  return '\n'.join(lines)


def _section(
  factory: type[Any],
  values: Any,
  prefix: str,
  is_older: bool,
  of_model: Mapping[str, type[Any] | None],
) -> Any:
  """Creates a section and the sections nested in it."""
  if not isinstance(values, Mapping):
    raise UserError(
      f'config.{prefix.rstrip(".")} is {values!r}, not a section of fields; '
      'start from capsjax.default_config()'
    )
  declared = {f.name: f for f in dataclasses.fields(factory)}
  for name in values:
    if name not in declared:
      raise UserError(
        f'nothing reads config.{prefix}{name}; '
        f'{_advice(prefix + name, _field_names(factory, prefix))}'
      )
  found: dict[str, Any] = {}
  for name, f in declared.items():
    if f.default is dataclasses.MISSING:
      sub: Any = of_model.get(name, f.default_factory)
      inside = values.get(name)
      if name not in values and is_older and name in of_model:
        raise UserError(f'the configuration has no field {prefix}{name}')
      inside = {} if inside is None else inside
      if sub is None:
        _require_none(inside, f'{prefix}{name}')
        found[name] = None
        continue
      found[name] = _section(sub, inside, f'{prefix}{name}.', is_older, {})
    elif name in values:
      value = _with_tuples(values[name])
      found[name] = fields.checked(f, value, prefix + name)
    elif is_older:
      found |= fields.before(f)
      # Fields of the model and of the loss have always had defaults.
      if name not in found and not prefix.startswith(('model.', 'loss.')):
        raise UserError(f'the configuration has no field {prefix}{name}')
  return factory(**found)


def _require_none(values: Mapping[str, Any], section: str) -> None:
  if values:
    raise UserError(
      f'this model has no use for {section}.{min(values)}; in the file of the '
      f'configuration, set config.{section} = ConfigDict()'
    )


def _override(config: ConfigDict, overrides: Sequence[str]) -> ConfigDict:
  names = set(_names_in(config))
  for override in overrides:
    name = re.sub(r'^--(no)?config\.', '', override).partition('=')[0]
    if name not in names:
      raise UserError(
        f'the configuration has no field {name}; {_advice(name, names)}'
      )
  values, argv = flags.FlagValues(), ['capsjax', *overrides]
  try:
    config_flags.DEFINE_config_dict(
      'config', config, flag_values=values, sys_argv=argv
    )
    values(argv)
  except (flags.Error, AttributeError, KeyError, ValueError, TypeError) as e:
    raise UserError(one_line(e)) from e
  return config


def _advice(name: str, names: Sequence[str] | set[str]) -> str:
  near = ' or '.join(nearest(name, names))
  return f'did you mean {near}?' if near else '--help-config lists them all'


def _names_in(config: ConfigDict, prefix: str = '') -> list[str]:
  names = []
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      names += _names_in(value, f'{prefix}{name}.')
    else:
      names.append(f'{prefix}{name}')
  return names


def _field_names(factory: type[Any], prefix: str) -> list[str]:
  return [found.name for found in fields.named_fields(factory(), prefix)]


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
  except Exception as e:
    raise UserError(f'{path} cannot be run: {one_line(e)}') from e
  finally:
    sys.path = before
  if not isinstance(config, ConfigDict):
    raise UserError(
      f'{path} must have a get_config() that returns a ConfigDict; see '
      'capsjax.default_config()'
    )
  return config


def _read_json(path: Path) -> Config:
  try:
    values = json.loads(path.read_text())
    _move(values)
    return from_dict(values, is_older=True)
  except (OSError, AttributeError, TypeError, ValueError, UserError) as e:
    raise UserError(
      f'{path} is damaged ({one_line(e)}); give the configuration again with '
      '--config and a new --workdir'
    ) from e


def _move(values: dict[str, Any]) -> None:
  """Moves fields of older runs to where they are now."""
  for old, new in _MOVED.items():
    place, name = values, old
    while '.' in name:
      section, _, name = name.partition('.')
      place = place.get(section, {})
    if name in place:
      value, place = place.pop(name), values
      *sections, name = new.split('.')
      for section in sections:
        place = place.setdefault(section, {})
      place[name] = value


def _with_tuples(value: Any) -> Any:
  """Converts lists to tuples, which JSON does not have."""
  if isinstance(value, list | tuple):
    return tuple(map(_with_tuples, value))
  return value
