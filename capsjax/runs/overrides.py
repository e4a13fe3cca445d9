"""Values of configuration fields as text, such as `--config.seed=1`."""

import ast
from typing import Any

from capsjax.errors import UserError

_TRUTH = {
  **dict.fromkeys(('true', 'yes', 'on', '1'), True),
  **dict.fromkeys(('false', 'no', 'off', '0'), False),
}
_NO_LITERAL = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


def split_override(word: str) -> tuple[str, str]:
  """Returns the field that a command-line word sets, and the value's text.

  Args:
    word: `--config.FIELD=VALUE`, or `--noconfig.FIELD` for False.

  Raises:
    UserError: if the word has another form.
  """
  name, equals, text = word.partition('=')
  if name.startswith('--noconfig.'):
    if equals:
      raise UserError(f'{name} takes no value; write --config.FIELD=VALUE')
    return name.removeprefix('--noconfig.'), 'False'
  if not equals:
    raise UserError(f'write {name}=VALUE, without a space')
  return name.removeprefix('--config.'), text


def parse_value(text: str, kinds: tuple[type, ...]) -> Any:
  """Converts text to the value of a field.

  Args:
    text: a Python literal such as 3, 1e-3 or (9, 9); yes or no and the like for
      a `bool`; any text for a `str`; names with commas for a `tuple`.
    kinds: the types of the field.

  Returns:
    The value. Text that cannot be converted is returned as it is, and the check
    of the field refuses it.
  """
  if kinds == (str,):
    return text
  if kinds == (bool,):
    return _TRUTH.get(text.strip().lower(), text)
  try:
    return float(text) if kinds == (float,) else ast.literal_eval(text.strip())
  except _NO_LITERAL:
    return tuple(text.split(',')) if kinds == (tuple,) else text
