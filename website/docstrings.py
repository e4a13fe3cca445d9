"""Handlers of autodoc's events: how signatures and docstrings are shown."""

import dataclasses
import inspect
from typing import Any

from sphinx.util.typing import stringify_annotation

# Fields that Flax adds to a Linen module.
_OF_FLAX = ('parent', 'name')


def show_fields(
  app: Any,
  what: str,
  name: str,
  value: Any,
  options: Any,
  signature: str | None,
  returns: str | None,
) -> tuple[str | None, str | None]:
  """Makes the signature of a dataclass Python again.

  The text of some defaults is not, and Sphinx then shows all of it as it is.
  """
  if what != 'class' or not dataclasses.is_dataclass(value):
    return signature, returns
  fields = [f for f in dataclasses.fields(value) if f.name not in _OF_FLAX]
  return f'({", ".join(map(_argument, fields))})', returns


def _argument(field: dataclasses.Field[Any]) -> str:
  """Returns a parameter, with `...` for a default that has no short name."""
  value, factory = field.default, field.default_factory
  text = f'{field.name}: {stringify_annotation(field.type, "smart")}'
  if value is dataclasses.MISSING:
    return text if factory is dataclasses.MISSING else f'{text} = ...'
  if inspect.isfunction(value) and '<' not in value.__qualname__:
    return f'{text} = {value.__name__}'
  if value is None or isinstance(value, bool | int | float | str | tuple):
    return f'{text} = {value!r}'
  return f'{text} = ...'


def keep_returns(
  app: Any, what: str, name: str, value: Any, options: Any, lines: list[str]
) -> None:
  """Keeps napoleon from taking what precedes a colon for a type.

  Types are in signatures, and a sentence about a result may have a colon.
  """
  if 'Returns:' in lines:
    start = lines.index('Returns:')
    lines[start : start + 2] = [f':returns: {lines[start + 1].strip()}']
