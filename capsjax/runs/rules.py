"""Which fields a configuration has, and which values make sense."""

import math
from collections.abc import Callable
from typing import Any

from ml_collections import ConfigDict

from capsjax.errors import UserError

_Rule = tuple[Callable[[Any], bool], str]


def _at_least(least: int) -> _Rule:
  return lambda value: math.isfinite(value) and value >= least, (
    f'at least {least}'
  )


def _from(least: int, most: int) -> _Rule:
  return lambda value: least <= value <= most, f'from {least} to {most}'


_ANY: _Rule = (lambda value: True, '')
_POSITIVE: _Rule = (
  lambda value: math.isfinite(value) and value > 0,
  'greater than 0',
)
_RANGE: _Rule = (
  lambda value: len(value) == 2 and 0 < value[0] <= value[1] < math.inf,
  'two numbers above 0, the smaller one first',
)
_SHARE: _Rule = (lambda value: 0 <= value <= 1, 'from 0 to 1')

_SECTIONS = (
  *('augmentation', 'images', 'loss', 'model'),
  *('optimizer', 'pairs', 'pictures'),
)

# Every field outside `model`, whose fields are those of the module.
_RULES: dict[str, _Rule] = {
  'augmentation.contrast_range': _RANGE,
  'augmentation.flip': _ANY,
  'augmentation.max_brightness': _SHARE,
  'augmentation.max_rotation': _at_least(0),
  'augmentation.max_shear': _at_least(0),
  'augmentation.max_shift': _at_least(0),
  'augmentation.max_translation': _at_least(0),
  'augmentation.scale_range': _RANGE,
  'batch_size': _at_least(1),
  'checkpoint_every_seconds': _at_least(0),
  'data_dir': _ANY,
  'dataset': _ANY,
  'diagnostics': _ANY,
  'eval_every_epochs': _POSITIVE,
  'images.channels': (lambda value: value in (0, 1, 3), '0, 1 or 3'),
  'images.crop_size': _at_least(0),
  'images.size': _at_least(0),
  'images.standardize': _ANY,
  'keep_every_epochs': _at_least(0),
  'log_every_steps': _at_least(1),
  'loss.down_weight': _at_least(0),
  'loss.margin_weight': _at_least(0),
  'loss.negative_margin': _SHARE,
  'loss.positive_margin': _SHARE,
  'loss.reconstruction_weight': _at_least(0),
  'matmul_precision': (
    lambda value: value in ('default', 'high', 'highest'),
    "'default', 'high' or 'highest'",
  ),
  'model_name': _ANY,
  'num_devices': _at_least(0),
  'num_epochs': _at_least(1),
  'num_objects': _from(1, 2),
  'optimizer.decay_rate': _POSITIVE,
  'optimizer.decay_steps': _at_least(1),
  'optimizer.learning_rate': _POSITIVE,
  'optimizer.milestones': _ANY,
  'optimizer.min_learning_rate': _at_least(0),
  'optimizer.schedule': _ANY,
  'optimizer.use_epsilon_hat': _ANY,
  'pairs.max_shift': _at_least(0),
  'pairs.padding': _at_least(0),
  # Of 10,000 images no more pairs than are counted exactly (metrics.py).
  'pairs.test_pairs': _from(1, 1000),
  'pairs.test_seed': _at_least(0),
  'pictures.every_evaluation': _ANY,
  'pictures.num_images': _from(1, 500),
  'pictures.perturbation_range': _POSITIVE,
  'pictures.perturbation_steps': _from(2, 101),
  'seed': _at_least(0),
  'select_best_by': (
    lambda value: value in ('validation', 'test'),
    "'validation' or 'test'",
  ),
  'steps_per_call': _at_least(0),
  'stop_at_accuracy': _SHARE,
  'stream_images': _ANY,
  'train_size': _at_least(0),
  'validation_size': _at_least(0),
}


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
