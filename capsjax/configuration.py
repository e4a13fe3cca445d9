"""Reading, checking and keeping configurations."""

import json
import math
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from capsjax.errors import UserError, one_line

FILE_NAME = 'config.json'

# Fields that a run may change when it is continued: they do not alter what is
# computed, or (num_epochs) only how much of it.
_MAY_CHANGE = frozenset(
  {
    'checkpoint_every_seconds',
    'data_dir',
    'eval_every_epochs',
    'log_every_steps',
    'num_devices',
    'num_epochs',
    'steps_per_call',
  }
)

_Rule = tuple[Callable[[Any], bool], str]


def _at_least(least: int) -> _Rule:
  return lambda value: math.isfinite(value) and value >= least, (
    f'at least {least}'
  )


_ANY: _Rule = (lambda value: True, '')
_POSITIVE: _Rule = (
  lambda value: math.isfinite(value) and value > 0,
  'greater than 0',
)
_SHARE: _Rule = (lambda value: 0 <= value <= 1, 'from 0 to 1')

_SECTIONS = ('loss', 'model', 'optimizer')

# Every field outside `model`, whose fields are those of the module.
_RULES: dict[str, _Rule] = {
  'batch_size': _at_least(1),
  'checkpoint_every_seconds': _at_least(0),
  'data_dir': _ANY,
  'dataset': _ANY,
  'eval_every_epochs': _at_least(1),
  'log_every_steps': _at_least(1),
  'loss.down_weight': _at_least(0),
  'loss.margin_weight': _at_least(0),
  'loss.negative_margin': _SHARE,
  'loss.positive_margin': _SHARE,
  'loss.reconstruction_weight': _at_least(0),
  'max_shift': _at_least(0),
  'model_name': _ANY,
  'num_devices': _at_least(0),
  'num_epochs': _at_least(1),
  'optimizer.decay_rate': _POSITIVE,
  'optimizer.decay_steps': _at_least(1),
  'optimizer.learning_rate': _POSITIVE,
  'optimizer.milestones': _ANY,
  'optimizer.min_learning_rate': _at_least(0),
  'optimizer.schedule': _ANY,
  'seed': _at_least(0),
  'select_best_by': (
    lambda value: value in ('validation', 'test'),
    "'validation' or 'test'",
  ),
  'steps_per_call': _at_least(0),
  'validation_size': _at_least(0),
}


def load(path: Path | str, overrides: Sequence[str] = ()) -> ConfigDict:
  """Reads a configuration and changes fields of it.

  Args:
    path: a Python file with `get_config()`, or the JSON file of a run.
    overrides: `--config.FIELD=VALUE` each.

  Returns:
    The configuration, checked, its fields locked.

  Raises:
    UserError: if there is no such file, or a field or value makes no sense.
  """
  path = Path(path)
  if not path.is_file():
    raise UserError(
      f'no configuration {path}; there are some in the folder configs/ of a '
      'checkout of capsjax, from which relative paths should start'
    )
  values = flags.FlagValues()
  config = _read_json(path) if path.suffix == '.json' else _read_python(path)
  argv = ['capsjax', *overrides]
  try:
    config_flags.DEFINE_config_dict(
      'config', config, flag_values=values, sys_argv=argv
    )
    values(argv)
  except (flags.Error, AttributeError, KeyError, ValueError, TypeError) as e:
    raise UserError(one_line(e)) from e
  check(config)
  return config.lock()


def check(config: ConfigDict) -> None:
  """Refuses a configuration with a missing field or a senseless value.

  Raises:
    UserError: naming the field.
  """
  fields = flatten(config)
  sections = [f for f in _SECTIONS if isinstance(config.get(f), ConfigDict)]
  # A model without capsules has no field under `loss`.
  required = [f for f in _RULES if not f.startswith('loss.')]
  for field in (*_SECTIONS, *required):
    if field not in fields and field not in sections:
      raise UserError(
        f'the configuration has no field {field}; start from configs/base.py'
      )
  for field, (is_right, meaning) in _RULES.items():
    if field in fields and not _holds(is_right, fields[field]):
      raise UserError(
        f'config.{field}={fields[field]!r}, but it must be {meaning}'
      )
  for field in fields:
    if field not in _RULES and not field.startswith('model.'):
      raise UserError(
        f'nothing reads config.{field}; the fields are in configs/base.py'
      )


def _holds(is_right: Callable[[Any], bool], value: Any) -> bool:
  try:
    return is_right(value)
  except TypeError:  # A value of another type, in a file written by hand.
    return False


def flatten(config: ConfigDict) -> dict[str, Any]:
  """All fields by dotted name."""
  fields: dict[str, Any] = {}
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      fields |= {f'{name}.{k}': v for k, v in flatten(value).items()}
    else:
      fields[name] = value
  return fields


def save(config: ConfigDict, workdir: Path) -> None:
  """Writes the configuration of a run into its folder."""
  text = json.dumps(config.to_dict(), indent=2, sort_keys=True)
  partial = workdir / f'{FILE_NAME}.partial'
  partial.write_text(text + '\n')
  partial.replace(workdir / FILE_NAME)


def require_continues(config: ConfigDict, workdir: Path) -> None:
  """Refuses to continue a run with a configuration that computes another.

  Args:
    config: the configuration of now.
    workdir: a folder, perhaps with a run in it.

  Raises:
    UserError: if there is a run in it that differs in more than its length or
      in what it prints.
  """
  path = workdir / FILE_NAME
  if not path.exists():
    return
  old, new = flatten(_read_json(path)), flatten(config)
  for field in sorted((old.keys() | new.keys()) - _MAY_CHANGE):
    if old.get(field) != new.get(field):
      raise UserError(
        f'{workdir} holds a run with {field}={old.get(field)!r}, not '
        f'{new.get(field)!r}; choose another --workdir, or continue it with '
        'its own configuration'
      )


def _read_python(path: Path) -> ConfigDict:
  """Runs `get_config` of a file, which may import its neighbours."""
  root = str(path.resolve().parent.parent)
  sys.path.insert(0, root)
  try:
    get_config = runpy.run_path(str(path)).get('get_config')
    config = get_config() if get_config else None
  except Exception as e:
    raise UserError(f'{path} cannot be run: {one_line(e)}') from e
  finally:
    sys.path.remove(root)
  if not isinstance(config, ConfigDict):
    raise UserError(
      f'{path} must have a get_config() that returns a ConfigDict; see '
      'configs/base.py'
    )
  return config


def _read_json(path: Path) -> ConfigDict:
  try:
    fields = json.loads(path.read_text())
    return ConfigDict(_with_tuples(fields), convert_dict=True)
  except (OSError, AttributeError, TypeError, ValueError) as e:
    raise UserError(
      f'{path} is damaged ({one_line(e)}); give the configuration again with '
      '--config and a new --workdir'
    ) from e


def _with_tuples(value: Any) -> Any:
  """JSON has lists where a configuration has tuples."""
  if isinstance(value, dict):
    return {name: _with_tuples(v) for name, v in value.items()}
  if isinstance(value, list):
    return tuple(map(_with_tuples, value))
  return value
