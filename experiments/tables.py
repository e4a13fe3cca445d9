"""Writes the tables of experiments/README.md from experiments/results.

    python -m experiments.tables

Each table stands between two comments with the name of its experiment.
"""

import importlib
import re
import sys
from pathlib import Path

from experiments.comparison import render
from experiments.records import Records

NAMES = (
  *('table1', 'loss_scale', 'multi_mnist', 'affnist', 'cifar10'),
  *('fashion_mnist', 'smallnorb', 'svhn'),
)
_README = Path(__file__).parent / 'README.md'
_RESULTS = Path(__file__).parent / 'results'


def with_tables(text: str) -> str:
  """Returns the text with its tables replaced by those of the results.

  Args:
    text: Markdown with `<!-- NAME -->` and `<!-- end of NAME -->`.

  Raises:
    ValueError: if the text lacks the comments of an experiment.
  """
  for name in NAMES:
    comparison = importlib.import_module(f'experiments.{name}').COMPARISON
    table = render(comparison, Records(_RESULTS / f'{name}.json'))
    place = rf'(<!-- {name} -->\n).*?(<!-- end of {name} -->)'
    text, count = re.subn(
      place,
      lambda found, table=table: f'{found[1]}\n{table}\n{found[2]}',
      text,
      flags=re.DOTALL,
    )
    if count != 1:
      raise ValueError(f'{count} places for the table of {name}')
  return text


if __name__ == '__main__':
  text = with_tables(_README.read_text(encoding='utf-8'))
  _README.write_text(text, encoding='utf-8')
  print(f'written to {_README}', file=sys.stderr)
