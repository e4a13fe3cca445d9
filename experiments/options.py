"""The command-line options that all comparisons share."""

import argparse
import sys
from pathlib import Path

from capsjax.commands import split_overrides
from capsjax.errors import UserError
from experiments.comparison import Comparison

_DESCRIPTION = """\
Trains the missing runs, seed by seed, and prints a Markdown table of the
paper's numbers, the best published ones and ours. Ctrl-C or a kill loses
nothing: the same command resumes.
"""
SIZES = {
  'smoke': 'takes seconds, shows that it works',
  'cpu': 'the default, takes about an hour on a laptop',
  'full': 'trains to the end, which takes days on a GPU; where the paper gives '
  "no length, it is the official code's or our choice",
}


def add_place(parser: argparse.ArgumentParser) -> None:
  """Adds the options of all experiments: which size to run, and where."""
  sizes = '; '.join(f'{name}: {does}' for name, does in SIZES.items())
  add = parser.add_argument
  add('--size', choices=tuple(SIZES), default='cpu', help=sizes)
  add(
    '--data-dir',
    metavar='DIR',
    default='',
    help='folder that holds the data, or to download them to; sets '
    'config.data_dir. For other data of the same name, choose another '
    '--runs-dir and --results',
  )
  add(
    '--runs-dir',
    type=Path,
    metavar='DIR',
    default=Path('runs/experiments'),
    help='folder where runs are kept and resumed (default: %(default)s)',
  )


def parse(comparison: Comparison) -> argparse.Namespace:
  """Parses the command line; `overrides` holds the fields it sets."""
  parser = _create_parser(comparison)
  try:
    overrides, words = split_overrides(sys.argv[1:])
  except UserError as error:
    parser.error(str(error))
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
    help='train seeds 0 to N - 1; the default: '
    + ', '.join(f'{n} in {size}' for size, n in comparison.num_seeds.items()),
  )
  add(
    '--at-once',
    action='store_true',
    help='train all seeds of a run at the same time, on one device with enough '
    'memory; all seeds must have the same images and length (no '
    'train_size, validation_size, stop_at_accuracy, stream_images)',
  )
  add('--only', nargs='+', metavar='RUN', help='only these runs; see below')
  add(
    '--results',
    type=Path,
    metavar='FILE',
    help='JSON file to add the results to (default: NAME.json in the folder '
    'of the runs; the tables of experiments/README.md come from the files in '
    'experiments/results)',
  )
  add(
    '--table',
    action='store_true',
    help='train nothing, and print the table of the results',
  )
  parser.add_argument_group(
    'fields',
    'set a field of all runs as for capsjax.main: --config.FIELD=VALUE',
  )
  return parser
