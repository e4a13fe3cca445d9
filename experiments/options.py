"""The options of the command line that all comparisons share."""

import argparse
import sys
from pathlib import Path

from capsjax.commands import split_overrides
from experiments.comparison import Comparison

_DESCRIPTION = """\
Trains the runs that are not done, one seed of all of them after another, and
prints a Markdown table of what the paper reports, what is published, and what
came of them. Ctrl-C or a kill loses nothing: the same command goes on.
"""
SIZES = {
  'smoke': 'seconds, shows that it works',
  'cpu': 'the default: what a laptop does in about an hour',
  'full': 'the whole course, which takes days on a GPU; how long, where the '
  'paper gives no length, is the choice of the official code or ours',
}


def add_place(parser: argparse.ArgumentParser) -> None:
  """Adds which size is run, and where: what all experiments ask."""
  sizes = '; '.join(f'{name}: {does}' for name, does in SIZES.items())
  add = parser.add_argument
  add('--size', choices=tuple(SIZES), default='cpu', help=sizes)
  add(
    '--data-dir',
    metavar='DIR',
    default='',
    help='where the data are, or are downloaded to, as --config.data_dir; for '
    'other data of the same name choose another --runs-dir and --results',
  )
  add(
    '--runs-dir',
    type=Path,
    metavar='DIR',
    default=Path('runs/experiments'),
    help='where runs are kept and continued (default: %(default)s)',
  )


def parse(comparison: Comparison) -> argparse.Namespace:
  """Reads the command line; `overrides` are the fields that it sets."""
  parser = _create_parser(comparison)
  overrides, words = split_overrides(sys.argv[1:], parser)
  options = parser.parse_args(words)
  options.overrides = overrides
  for field, option in (('seed', '--seeds N'), ('data_dir', '--data-dir DIR')):
    if any(word.startswith(f'--config.{field}=') for word in overrides):
      parser.error(f'set config.{field} with {option}')
  if options.seeds is not None and options.seeds < 1:
    parser.error(f'--seeds {options.seeds} is not above 0')
  return options


def _create_parser(comparison: Comparison) -> argparse.ArgumentParser:
  names = ', '.join(run.name for run in comparison.runs)
  parser = argparse.ArgumentParser(
    f'python -m experiments.{comparison.name}',
    description=f'{comparison.title}.\n\n{_DESCRIPTION}',
    epilog=f'runs: {names}',
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add_place(parser)
  add = parser.add_argument
  add(
    '--seeds',
    type=int,
    metavar='N',
    help='trains seeds 0 to N - 1; how many if not given: '
    + ', '.join(f'{n} in {size}' for size, n in comparison.num_seeds.items()),
  )
  add(
    '--at-once',
    action='store_true',
    help='trains all seeds of a run at the same time, on one device with '
    'memory for that; they must have the same images and length (no '
    'train_size, validation_size, stop_at_accuracy, stream_images)',
  )
  add('--only', nargs='+', metavar='RUN', help='only these runs; see below')
  add(
    '--results',
    type=Path,
    metavar='FILE',
    help='JSON file of results, which is added to (default: NAME.json among '
    'the runs; the tables of experiments/README.md are of the files in '
    'experiments/results)',
  )
  add(
    '--table',
    action='store_true',
    help='trains nothing and prints the table of the results',
  )
  parser.add_argument_group(
    'fields',
    'fields of all runs can be set as for capsjax.main: --config.FIELD=VALUE',
  )
  return parser
