"""Configuration fields, each with a meaning and a rule for its values."""

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, get_args

from capsjax.errors import UserError, nearest


class Rule(NamedTuple):
  """A rule that the values of a field must satisfy.

  Attributes:
    holds: whether a value satisfies the rule.
    meaning: completes "it must be"; '' if every value of the right type does.
    values: all valid values, if they are few.
  """

  holds: Callable[[Any], bool]
  meaning: str
  values: tuple[Any, ...] = ()


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
_TOLD = ('meaning', 'rule', 'may_change', 'kinds', 'also')
_TYPES = {
  bool: 'True or False',
  int: 'a whole number',
  float: 'a number',
  str: 'text',
  tuple: 'values in parentheses',
}


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
  return Rule(lambda value: value in values, listed, values)


def field(
  default: Any,
  meaning: str,
  rule: Rule = ANY,
  *,
  may_change: bool = False,
  before: Any = _REQUIRED,
  also: tuple[str, ...] = (),
  kinds: tuple[type, ...] = (),
) -> Any:
  """Declares a field of a configuration.

  Args:
    default: the value in `configs/base.py`.
    meaning: the description in `capsjax config`.
    rule: which values are valid.
    may_change: whether a run may be resumed with another value. Such a field
      does not change what is computed, or (`num_epochs`) only how much of it.
    before: the value for runs that are older than the field. A run that lacks a
      field without such a value is damaged.
    also: what people call the field elsewhere; a message about such a name
      suggests this field.
    kinds: the types of valid values; that of the default if empty.
  """
  return dataclasses.field(
    default=default,
    metadata={
      'meaning': meaning,
      'rule': rule,
      'may_change': may_change,
      'before': before,
      'also': also,
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
    default: its value if nothing sets it.
    annotation: its type, such as `tuple[int, int]`.
    meaning: as for `field`.
    rule: as for `field`.
    may_change: as for `field`.
    kinds: as for `field`.
    also: as for `field`.
  """

  name: str
  value: Any
  default: Any
  annotation: Any
  meaning: str
  rule: Rule
  may_change: bool
  kinds: tuple[type, ...]
  also: tuple[str, ...]

  @property
  def type_name(self) -> str:
    """The type as text."""
    if isinstance(self.annotation, type) and not get_args(self.annotation):
      return self.annotation.__name__
    return str(self.annotation)


def named_fields(config: Any, prefix: str = '') -> Iterator[NamedField]:
  """Yields all fields of a configuration or of one of its sections."""
  for declared in dataclasses.fields(config):
    name, value = f'{prefix}{declared.name}', getattr(config, declared.name)
    if dataclasses.is_dataclass(value):
      yield from named_fields(value, f'{name}.')
    elif value is not None:
      told = declared.metadata
      yield NamedField(
        name,
        value,
        declared.default,
        declared.type,
        **{k: told[k] for k in _TOLD},
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
    # The meaning of a rule for tuples says that they are.
    named = (
      '' if tuple in kinds else ' or '.join(_TYPES[kind] for kind in kinds)
    )
    must = ', '.join(filter(None, (named, rule.meaning))) or _TYPES[tuple]
    raise UserError(f'config.{name}={value!r}, but it must be {must}')
  if not _holds(rule, value):
    near = nearest(str(value), map(str, rule.values))
    hint = f'; did you mean {near[0]}?' if near else ''
    raise UserError(
      f'config.{name}={value!r}, but it must be {rule.meaning}{hint}'
    )
  return value


def advice(name: str, declared: Iterable[NamedField]) -> str:
  """Returns what to do about a field that does not exist."""
  # What people may have meant, by what they may have written: they leave out
  # the section, or give the wrong one.
  meant = {}
  for field in declared:
    for written in (field.name.rpartition('.')[2], *field.also):
      meant[written] = field.name
  near = nearest(name.rpartition('.')[2].lower(), meant)
  found = ' or '.join(dict.fromkeys(meant[written] for written in near))
  return f'did you mean {found}?' if found else 'capsjax config lists them all'


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
