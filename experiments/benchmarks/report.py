"""Formats the rows of a part as a Markdown table."""

from collections.abc import Sequence
from typing import Any


def table(rows: Sequence[dict[str, Any]]) -> str:
  """Formats a table of rows that have the same columns.

  Args:
    rows: values by column; a value with 'low', 'median' and 'high' is shown as
      its median with the quartiles in brackets.

  Returns:
    Lines of Markdown.
  """
  names = list(rows[0])
  cells = [[_cell(row[name]) for name in names] for row in rows]
  heads = [name.replace('_', ' ') for name in names]
  widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
  lines = [heads, ['-' * width for width in widths], *cells]
  return '\n'.join(
    '| '
    + ' | '.join(c.ljust(w) for c, w in zip(line, widths, strict=True))
    + ' |'
    for line in lines
  )


def line(row: dict[str, Any]) -> str:
  """Formats one row, to show progress before the table."""
  return ', '.join(f'{name} {_cell(value)}' for name, value in row.items())


def _cell(value):
  if isinstance(value, dict):
    if value['low'] == value['high']:
      return f'{value["median"]:g}'
    return f'{value["median"]:g} ({value["low"]:g} to {value["high"]:g})'
  if isinstance(value, bool):
    return 'yes' if value else 'no'
  return f'{value:.3g}' if isinstance(value, float) else str(value)
