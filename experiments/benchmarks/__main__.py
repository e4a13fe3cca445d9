"""Compares the speed and memory of capsjax with its alternatives, in one run.

Every contender does the same work, in turns, after a warm-up. "times ours" is
the median of the per-turn ratios, above 1 where ours is faster. Brackets hold
the quartiles. PyTorch takes part if it is installed (the extra "bench"). All
parts together take over an hour on two cores; --parts selects some.
"""

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from capsjax.huge_pages import restart_with_huge_pages

_PARTS = (
  'training',
  'epoch',
  'evaluation',
  'routing',
  'memory',
  'scaling',
  'programs',
)
# The others are compared with the first.
_CONTENDERS = (
  'capsjax',
  'plain JAX',
  'PyTorch',
  'PyTorch, compiled',
  'PyTorch, compiled, CUDA graph',
)
# Only to test that everything still runs; the figures mean nothing.
_TINY = {'conv_features': 8, 'num_types': 2, 'decoder_sizes': (8, 8)}


def main() -> None:
  """Measures the chosen parts, prints them and writes them."""
  parser = argparse.ArgumentParser(
    'python -m experiments.benchmarks',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  add = parser.add_argument
  add(
    '--parts',
    nargs='+',
    choices=_PARTS,
    default=_PARTS,
    metavar='PART',
    help=', '.join(_PARTS),
  )
  add(
    '--batch-sizes',
    nargs='+',
    type=_positive,
    metavar='N',
    default=[32, 128, 512, 1024],
  )
  add(
    '--dtypes',
    nargs='+',
    choices=('float32', 'bfloat16'),
    default=['float32', 'bfloat16'],
    metavar='DTYPE',
  )
  add(
    '--repeats',
    type=_positive,
    default=7,
    metavar='N',
    help='turns after the warm-up (default: 7)',
  )
  add(
    '--patience',
    type=float,
    default=30,
    metavar='SECONDS',
    help='time a slower step once, and not at larger batches (default: 30)',
  )
  add('--json', type=Path, metavar='FILE', help='also write the figures here')
  add(
    '--contenders',
    nargs='+',
    choices=_CONTENDERS,
    default=_CONTENDERS,
    metavar='NAME',
    help=', '.join(map(repr, _CONTENDERS)),
  )
  add('--tiny', action='store_true', help='use a tiny network, only as a test')
  options = parser.parse_args()

  from capsjax import runtime
  from experiments import machine
  from experiments.benchmarks import parts, report

  runtime.start()
  described = machine.describe(('jax', 'flax', 'torch'))
  print('\n'.join(f'{name}: {value}' for name, value in described.items()))
  settings = parts.create_settings(
    size=64 if options.tiny else 2048,
    batch_sizes=options.batch_sizes,
    dtypes=options.dtypes,
    repeats=options.repeats,
    patience=options.patience,
    sizes=_TINY if options.tiny else {},
    contenders=available(options.contenders),
  )
  figures = {'machine': described, 'limits': settings.rates}
  for name, rate in settings.rates.items():
    unit = 'GB/s' if name == 'copy' else 'GFLOP/s'
    print(f'{name}: {rate["median"]:g} {unit}')
  for name in options.parts:
    rows = []
    for row in parts.PARTS[name](settings):
      print(f'{name}: {report.line(row)}', file=sys.stderr)
      rows.append(row)
      figures[name] = rows
      if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + '\n')
    print(f'\n{name}\n\n{report.table(rows)}')


def _positive(word: str) -> int:
  number = int(word)
  if number < 1:
    raise argparse.ArgumentTypeError(f'{word} is not above 0')
  return number


def available(names: Sequence[str]) -> list[str]:
  """Returns ours, and those of the named contenders that can run here."""
  import jax

  others = [name for name in names if name != 'capsjax']
  if jax.default_backend() != 'gpu':
    others = [name for name in others if not name.endswith('CUDA graph')]
  if importlib.util.find_spec('torch') is None:
    others = [name for name in others if not name.startswith('PyTorch')]
    print(
      "PyTorch is left out; to compare with it: pip install 'capsjax[bench]'",
      file=sys.stderr,
    )
  return ['capsjax', *others]


if __name__ == '__main__':
  restart_with_huge_pages()
  main()
