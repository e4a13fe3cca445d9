"""Reads and saves configurations.

Files in `configs/` and the command line use `ml_collections.ConfigDict`; all
other code uses `Config`.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from capsjax.errors import UserError, one_line
from capsjax.files import write_file
from capsjax.runs import config_file, fields
from capsjax.runs.config import (
  BaselineConfig,
  CapsNetConfig,
  Config,
  LossConfig,
)
from capsjax.runs.network_config import (
  ClassificationLossConfig,
  EfficientCapsNetConfig,
  MatrixCapsNetConfig,
  SpreadLossConfig,
  VariationalCapsNetConfig,
)
from capsjax.runs.overrides import parse_value, split_override

# Sections whose class depends on `model_name`.
_OF_MODEL: dict[str, dict[str, type[Any]]] = {
  'capsnet': {'model': CapsNetConfig, 'loss': LossConfig},
  'baseline': {'model': BaselineConfig, 'loss': ClassificationLossConfig},
  'efficient_capsnet': {'model': EfficientCapsNetConfig, 'loss': LossConfig},
  'matrix_capsules': {'model': MatrixCapsNetConfig, 'loss': SpreadLossConfig},
  'vb_capsules': {
    'model': VariationalCapsNetConfig,
    'loss': ClassificationLossConfig,
  },
}
# The file of a run, as RunFolder names it.
_OF_RUN = 'config.json'
# Fields of older runs, and where they are now.
_MOVED = {
  f'model.{name}': f'model.routing.{name}'
  for name in ('num_iterations', 'stop_gradient', 'leaky')
}


def default_config() -> ConfigDict:
  """Returns the settings that every configuration starts from.

  Returns:
    The paper's settings for MNIST, as a `ConfigDict`; `capsjax config` lists
    them with their meanings.

  Examples:
    >>> import capsjax
    >>> config = capsjax.default_config()
    >>> config.model.routing.num_iterations, config.batch_size
    (3, 128)
  """
  return config_file.to_config_dict(Config())


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
  """Reads a configuration, applies overrides and checks it.

  Args:
    path: a Python file with `get_config()`; a YAML or JSON file of fields; the
      name of a configuration that comes with capsjax; or the `config.json` of a
      run.
    overrides: strings of the form `--config.FIELD=VALUE`.

  Returns:
    The configuration.

  Raises:
    UserError: if there is no such file, or a field or value is invalid.
  """
  path = config_file.find(Path(path))
  if path.name == _OF_RUN:
    start, values = (
      config_file.to_config_dict(_read_run(path)),
      dict[str, Any](),
    )
  else:
    start, values = config_file.read(path)
  values |= dict(map(split_override, overrides))
  _set(start, values)
  return from_dict(start.to_dict())


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
  return _section(
    Config, values, '', is_older, _of_model(values.get('model_name'))
  )


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
  old, new = fields.flatten(_read_run(path)), fields.flatten(config)
  may_change = {f.name for f in fields.named_fields(config) if f.may_change}
  for name in sorted((old.keys() | new.keys()) - may_change):
    if old.get(name) != new.get(name):
      raise UserError(
        f'{path.parent} holds a run with {name}={old.get(name)!r}, not '
        f'{new.get(name)!r}; choose another {option}, or resume the run with '
        'its own configuration'
      )


def _section(
  factory: type[Any],
  values: Any,
  prefix: str,
  is_older: bool,
  of_model: Mapping[str, type[Any]],
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
      if factory is ClassificationLossConfig and hasattr(LossConfig, name):
        raise UserError(
          f'this model has no use for loss.{name}; in the file of the '
          'configuration, set config.loss = ConfigDict()'
        )
      known = fields.named_fields(factory(), prefix)
      raise UserError(
        f'nothing reads config.{prefix}{name}; '
        f'{fields.advice(prefix + name, known)}'
      )
  found: dict[str, Any] = {}
  for name, f in declared.items():
    if f.default is dataclasses.MISSING:
      sub: Any = of_model.get(name, f.default_factory)
      inside = values.get(name)
      if name not in values and is_older and name in of_model:
        raise UserError(f'the configuration has no field {prefix}{name}')
      inside = {} if inside is None else inside
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


def _set(config: ConfigDict, values: Mapping[str, Any]) -> None:
  """Sets fields by dotted name; text is converted to the field's type.

  Fields that refer to another field follow it.
  """
  model_name = values.get('model_name', config.get('model_name'))
  with config.unlocked(), config.ignore_type():
    if model_name != config.get('model_name'):
      # Another model has other fields: start from its defaults.
      config.model_name = model_name
      for name, kind in _of_model(model_name).items():
        config[name] = config_file.to_config_dict(kind())
    declared = {f.name: f for f in _declared(config)}
    for name, value in values.items():
      if name not in declared:
        raise UserError(
          f'the configuration has no field {name}; '
          f'{fields.advice(name, declared.values())}'
        )
      if isinstance(value, str):
        value = parse_value(value, declared[name].kinds)
      *sections, last = name.split('.')
      section = config
      for inner in sections:
        if not isinstance(section.get(inner), ConfigDict):
          section[inner] = ConfigDict()
        section = section[inner]
      section[last] = _with_tuples(value)


def _declared(config: ConfigDict) -> Iterator[fields.NamedField]:
  """Yields the fields that a configuration may have, for its model."""
  of_model = _of_model(config.get('model_name'))
  sections: dict[str, Any] = {name: kind() for name, kind in of_model.items()}
  return fields.named_fields(Config(**sections))


def _of_model(name: object) -> dict[str, type[Any]]:
  """Returns the classes of the sections; a capsnet's if there is no such model.

  The check of `model_name` then refuses its value.
  """
  return _OF_MODEL.get(str(name), _OF_MODEL['capsnet'])


def _read_run(path: Path) -> Config:
  """Reads the `config.json` of a run, which may be older than some fields."""
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
