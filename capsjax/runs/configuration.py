"""Reading, checking and keeping configurations."""

import functools
import json
import re
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from capsjax.errors import (
  UserError,
  nearest,
  one_line,
)
from capsjax.runs.rules import check, flatten

FILE_NAME = 'config.json'

# Fields that a run may change when it is continued: they do not alter what is
# computed, or (num_epochs) only how much of it.
MAY_CHANGE = frozenset(
  {
    'checkpoint_every_seconds',
    'data_dir',
    'diagnostics',
    'eval_every_epochs',
    'keep_every_epochs',
    'log_every_steps',
    'num_devices',
    'num_epochs',
    'pictures.every_evaluation',
    'pictures.num_images',
    'pictures.perturbation_range',
    'pictures.perturbation_steps',
    'steps_per_call',
    'stop_at_accuracy',
    'stream_images',
  }
)

# What a run did that was begun before there was such a field.
_BEFORE = {
  'diagnostics': False,
  'keep_every_epochs': 0,
  'optimizer.use_epsilon_hat': False,
  'pictures.every_evaluation': True,
  'stream_images': False,
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
  _require_fields(config, overrides)
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


def _require_fields(config: ConfigDict, overrides: Sequence[str]) -> None:
  fields = flatten(config)
  for override in overrides:
    name = re.sub(r'^--(no)?config\.', '', override).partition('=')[0]
    if name not in fields:
      near = ' or '.join(nearest(name, fields))
      advice = f'did you mean {near}?' if near else 'see configs/base.py'
      raise UserError(f'the configuration has no field {name}; {advice}')


def save(config: ConfigDict, workdir: Path) -> None:
  """Writes the configuration of a run into its folder."""
  text = json.dumps(config.to_dict(), indent=2, sort_keys=True)
  partial = workdir / f'{FILE_NAME}.partial'
  partial.write_text(text + '\n')
  partial.replace(workdir / FILE_NAME)


def require_continues(
  config: ConfigDict, workdir: Path, *, option: str = '--workdir'
) -> None:
  """Refuses to continue a run with a configuration that computes another.

  Args:
    config: the configuration of now.
    workdir: a folder, perhaps with a run in it.
    option: what names another folder, for the message.

  Raises:
    UserError: if there is a run in it that differs in more than its length or
      in what it prints.
  """
  path = workdir / FILE_NAME
  if not path.exists():
    return
  old, new = flatten(_read_json(path)), flatten(config)
  for field in sorted((old.keys() | new.keys()) - MAY_CHANGE):
    if old.get(field) != new.get(field):
      raise UserError(
        f'{workdir} holds a run with {field}={old.get(field)!r}, not '
        f'{new.get(field)!r}; choose another {option}, or continue it with '
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
    for name, value in _BEFORE.items():
      *sections, field = name.split('.')
      place = functools.reduce(
        lambda part, s: part.get(s, {}), sections, fields
      )
      place.setdefault(field, value)
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
