"""Fields of a configuration: each with its meaning and the values it takes."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from capsjax.errors import UserError


class Rule(NamedTuple):
  """Which values of a field make sense.

  Attributes:
    holds: whether a value does.
    meaning: completes "it must be"; '' if any value of the right type does.
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
NUMBERS = Rule(
  lambda values: all(isinstance(v, int | float) for v in values), 'numbers'
)
_REQUIRED = object()


def at_least(least: int | float) -> Rule:
  """A finite number, not below `least`."""
  return Rule(
    lambda value: math.isfinite(value) and value >= least, f'at least {least}'
  )


def between(least: int | float, most: int | float) -> Rule:
  """A number from `least` to `most`."""
  return Rule(lambda value: least <= value <= most, f'from {least} to {most}')


def one_of(*values: Any) -> Rule:
  """One of these values."""
  *others, last = map(repr, values)
  return Rule(lambda value: value in values, f'{", ".join(others)} or {last}')


def field(
  default: Any,
  meaning: str,
  rule: Rule = ANY,
  *,
  may_change: bool = False,
  before: Any = _REQUIRED,
) -> Any:
  """Declares a field of a configuration.

  Args:
    default: its value in `configs/base.py`.
    meaning: for the user.
    rule: which values make sense.
    may_change: whether a run may be continued with another value: it does not
      change what is computed, or (`num_epochs`) only how much of it.
    before: the value of runs that are older than the field; a run without a
      field that has no such value is damaged.
  """
  return dataclasses.field(
    default=default,
    metadata={
      'meaning': meaning,
      'rule': rule,
      'may_change': may_change,
      'before': before,
    },
  )


def section(factory: type, meaning: str) -> Any:
  """Declares fields that belong together, a dataclass of their own."""
  return dataclasses.field(
    default_factory=factory, metadata={'meaning': meaning}
  )


class NamedField(NamedTuple):
  """A field of a configuration.

  Attributes:
    name: dotted, such as 'optimizer.learning_rate'.
    value: of this configuration.
    meaning: as given to `field`, like the next two.
    rule: see there.
    may_change: see there.
  """

  name: str
  value: Any
  meaning: str
  rule: Rule
  may_change: bool


def named_fields(config: Any, prefix: str = '') -> Iterator[NamedField]:
  """All fields of a configuration, or of a section of it."""
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
  """The values of all fields by dotted name."""
  return {found.name: found.value for found in named_fields(config)}


def before(declared: dataclasses.Field[Any]) -> dict[str, Any]:
  """`{name: value}` of runs older than a field; {} if there can be none."""
  value = declared.metadata.get('before', _REQUIRED)
  return {} if value is _REQUIRED else {declared.name: value}


def checked(declared: dataclasses.Field[Any], value: Any, name: str) -> Any:
  """A value that a field may have.

  Args:
    declared: the field.
    value: its value.
    name: what the field is called in the message.

  Raises:
    UserError: if the value is of another type than the default, or breaks the
      rule of the field.
  """
  kind, rule = type(declared.default), declared.metadata['rule']
  is_number = kind is float and type(value) is int
  if not (isinstance(value, kind) or is_number):
    raise UserError(
      f'config.{name}={value!r}, but it must be of type {kind.__name__}'
    )
  if not _holds(rule, value):
    raise UserError(f'config.{name}={value!r}, but it must be {rule.meaning}')
  return value


def _holds(rule: Rule, value: Any) -> bool:
  try:
    return rule.holds(value)
  except TypeError:  # A tuple with values of another type.
    return False
