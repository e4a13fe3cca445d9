"""Configuration fields, each with a meaning and a rule for its values."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from capsjax.errors import UserError


class Rule(NamedTuple):
  """A rule that the values of a field must satisfy.

  Attributes:
    holds: whether a value satisfies the rule.
    meaning: completes "it must be"; '' if every value of the right type does.
  """

  holds: Callable[[Any], bool]
  meaning: str


ANY = Rule(lambda value: True, '')
POSITIVE = Rule(
  lambda value: math.isfinite(value) and value > 0, 'greater than 0'
)
SHARE = Rule(lambda value: 0 <= value <= 1, 'from 0 to 1')
RANGE = Rule(
  lambda value: len(value) == 2 and 0 < value[0] <= value[1] < math.inf,
  'two numbers above 0, the smaller one first',
)
SIZE = Rule(
  lambda value: len(value) == 2 and all(side >= 1 for side in value),
  'two numbers, for height and width, such as (9, 9)',
)
SIDES = Rule(
  lambda value: _are_sides(value),
  'a number of pixels, or two for height and width, such as (20, 30), or 0',
)
WEIGHTS = Rule(
  lambda value: value == 'balanced' or _are_weights(value),
  "'balanced', or a number of at least 0 for each class, such as (1, 2.5), not "
  'all of them 0, or ()',
)
NUMBERS = Rule(
  lambda values: all(math.isfinite(v) and v >= 0 for v in values),
  'numbers, at least 0',
)
NAMES = Rule(
  lambda values: all(isinstance(value, str) for value in values),
  "names, such as ('conv', 'primary_capsules')",
)
_REQUIRED = object()


def at_least(least: int | float) -> Rule:
  """Accepts finite numbers not below `least`."""
  return Rule(
    lambda value: math.isfinite(value) and value >= least, f'at least {least}'
  )


def between(least: int | float, most: int | float) -> Rule:
  """Accepts numbers from `least` to `most`, both included."""
  return Rule(lambda value: least <= value <= most, f'from {least} to {most}')


def one_of(*values: Any) -> Rule:
  """Accepts any of the given values."""
  *others, last = map(repr, values)
  listed = f'{", ".join(others)} or {last}' if others else last
  return Rule(lambda value: value in values, listed)


def field(
  default: Any,
  meaning: str,
  rule: Rule = ANY,
  *,
  may_change: bool = False,
  before: Any = _REQUIRED,
  kinds: tuple[type, ...] = (),
) -> Any:
  """Declares a field of a configuration.

  Args:
    default: the value in `configs/base.py`.
    meaning: the description in `--help-config`.
    rule: which values are valid.
    may_change: whether a run may be resumed with another value. Such a field
      does not change what is computed, or (`num_epochs`) only how much of it.
    before: the value for runs that are older than the field. A run that lacks a
      field without such a value is damaged.
    kinds: the types of valid values; that of the default if empty.
  """
  return dataclasses.field(
    default=default,
    metadata={
      'meaning': meaning,
      'rule': rule,
      'may_change': may_change,
      'before': before,
      'kinds': kinds or (type(default),),
    },
  )


def section(factory: type, meaning: str) -> Any:
  """Declares a section: a dataclass of fields that belong together."""
  return dataclasses.field(
    default_factory=factory, metadata={'meaning': meaning}
  )


class NamedField(NamedTuple):
  """A field of a configuration, with its value.

  Attributes:
    name: the dotted name, such as 'optimizer.learning_rate'.
    value: its value in this configuration.
    meaning: as for `field`, and so are the next two.
    rule: as for `field`.
    may_change: as for `field`.
  """

  name: str
  value: Any
  meaning: str
  rule: Rule
  may_change: bool


def named_fields(config: Any, prefix: str = '') -> Iterator[NamedField]:
  """Yields all fields of a configuration or of one of its sections."""
  for declared in dataclasses.fields(config):
    name, value = f'{prefix}{declared.name}', getattr(config, declared.name)
    if dataclasses.is_dataclass(value):
      yield from named_fields(value, f'{name}.')
    elif value is not None:
      told = declared.metadata
      yield NamedField(
        name, value, told['meaning'], told['rule'], told['may_change']
      )


def flatten(config: Any) -> dict[str, Any]:
  """Returns the values of all fields by dotted name."""
  return {found.name: found.value for found in named_fields(config)}


def before(declared: dataclasses.Field[Any]) -> dict[str, Any]:
  """Returns `{name: value}` for runs older than a field, or {} if required."""
  value = declared.metadata.get('before', _REQUIRED)
  return {} if value is _REQUIRED else {declared.name: value}


def checked(declared: dataclasses.Field[Any], value: Any, name: str) -> Any:
  """Returns a value after checking it against its field.

  Args:
    declared: the field.
    value: its value.
    name: what the field is called in the message.

  Raises:
    UserError: if the value is of another type than the field allows, or breaks
      its rule.
  """
  kinds, rule = declared.metadata['kinds'], declared.metadata['rule']
  if kinds == (float,) and type(value) is int:
    value = float(value)
  # A bool is an int to Python.
  is_bool = isinstance(value, bool) and bool not in kinds
  if not isinstance(value, kinds) or is_bool:
    named = ' or '.join(kind.__name__ for kind in kinds)
    raise UserError(f'config.{name}={value!r}, but it must be of type {named}')
  if not _holds(rule, value):
    raise UserError(f'config.{name}={value!r}, but it must be {rule.meaning}')
  return value


def _are_sides(value: int | tuple[Any, ...]) -> bool:
  if isinstance(value, int):
    return value >= 0
  return SIZE.holds(value) and all(type(side) is int for side in value)


def _are_weights(value: str | tuple[Any, ...]) -> bool:
  if isinstance(value, str):
    return False
  return NUMBERS.holds(value) and (not value or any(value))


def _holds(rule: Rule, value: Any) -> bool:
  try:
    return rule.holds(value)
  # A tuple with values of another type; a number beyond those of floats.
  except (OverflowError, TypeError):
    return False
