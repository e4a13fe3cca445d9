"""The command line of all experiments: train what is missing, tabulate."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from capsjax.errors import UserError, did_you_mean
from capsjax.huge_pages import restart_with_huge_pages
from experiments import other_tests
from experiments.comparison import Experiment, render
from experiments.ensemble import ensemble_error
from experiments.records import Records
from experiments.runs import Place, Run, load_config, train

_DESCRIPTION = """\
Trains the runs that are not done, one seed of all of them after another, and
prints a Markdown table of what the paper reports, what is published, and what
came of them. Ctrl-C or a kill loses nothing: the same command goes on.
"""


def main(experiment: Experiment) -> None:
  """Runs the command of an experiment and leaves with its exit status."""
  restart_with_huge_pages()
  try:
    sys.exit(_run(experiment, _parse(experiment)))
  except (UserError, OSError) as error:
    print(f'{experiment.name}: error: {error}', file=sys.stderr)
    sys.exit(2)
  except KeyboardInterrupt:
    print(f'{experiment.name}: interrupted', file=sys.stderr)
    sys.exit(130)


def _parse(experiment: Experiment) -> argparse.Namespace:
  names = ', '.join(run.name for run in experiment.runs)
  parser = argparse.ArgumentParser(
    f'python -m experiments.{experiment.name}',
    description=f'{experiment.title}.\n\n{_DESCRIPTION}',
    epilog=f'runs: {names}',
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add(
    '--size',
    choices=('smoke', 'cpu', 'full'),
    default='cpu',
    help='smoke: seconds, shows that it works; cpu (the default): what a '
    "laptop does in an hour; full: the paper's",
  )
  add(
    '--seeds',
    type=int,
    metavar='N',
    help='trains seeds 0 to N - 1; how many if not given: '
    + ', '.join(f'{n} in {size}' for size, n in experiment.num_seeds.items()),
  )
  add(
    '--at-once',
    action='store_true',
    help='trains all seeds of a run at the same time, on one device with '
    'memory for that; they must have the same images (no train_size)',
  )
  add('--only', nargs='+', metavar='RUN', help='only these runs; see below')
  add(
    '--data-dir',
    metavar='DIR',
    default='',
    help='where the data are, or are downloaded to, as --config.data_dir',
  )
  add(
    '--runs-dir',
    type=Path,
    metavar='DIR',
    default=Path('runs/experiments'),
    help='where runs are kept and continued (default: %(default)s)',
  )
  add(
    '--results',
    type=Path,
    metavar='FILE',
    help='JSON file of results, which is added to (default: NAME.json among '
    'the runs)',
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
  words = sys.argv[1:]
  options = parser.parse_args(
    [word for word in words if not word.startswith('--config.')]
  )
  options.overrides = [word for word in words if word.startswith('--config.')]
  for field, option in (('seed', '--seeds N'), ('data_dir', '--data-dir DIR')):
    if any(w.startswith(f'--config.{field}=') for w in options.overrides):
      parser.error(f'set config.{field} with {option}')
  if options.seeds is not None and options.seeds < 1:
    parser.error(f'--seeds {options.seeds} is not above 0')
  return options


def _run(experiment: Experiment, options: argparse.Namespace) -> int:
  path = options.results or options.runs_dir / f'{experiment.name}.json'
  records = Records(path)
  place = Place(
    options.size,
    (*experiment.sizes.get(options.size, ()), *options.overrides),
    options.runs_dir,
    options.data_dir,
  )
  seeds = range(options.seeds or experiment.num_seeds[options.size])
  runs = _chosen(experiment, options)
  missing = {
    run: [
      seed
      for seed in seeds
      if not records.has(run.name, place.size, place.command(run, seed))
    ]
    for run in runs
  }
  train_missing = _train_at_once if options.at_once else _train
  if not options.table and not train_missing(missing, place, records):
    print('stopped, all saved; the same command goes on')
    return 0
  if options.size != 'smoke' and not options.table:
    _measure(runs, seeds, place, records)
  if experiment.is_ensemble and len(seeds) > 1 and not options.table:
    for run in runs:
      _start(run, seeds[0], place)
      error = ensemble_error(run, seeds, place)
      print(f'{run.name}: {len(seeds)} networks together err on {error:.2f}%')
  if options.size == 'smoke' and not options.table:
    print('the smoke size works; its numbers mean nothing')
    return 0
  print(f'\n{experiment.title}\n\n{render(experiment, records)}')
  print(f'results in {path}')
  return 0


def _chosen(experiment: Experiment, options: argparse.Namespace) -> list[Run]:
  runs = {run.name: run for run in experiment.runs}
  for name in options.only or ():
    if name not in runs:
      raise UserError(f'no run {name}; {did_you_mean(name, runs)}')
  if options.only:
    return [runs[name] for name in options.only]
  if options.size != 'cpu':
    return list(experiment.runs)
  large = [run.name for run in experiment.runs if not run.is_small]
  if large:
    print(f'left out, hours on a CPU: {", ".join(large)} (--only runs them)')
  return [run for run in experiment.runs if run.is_small]


# By run, the seeds that are not trained yet.
_Missing = Mapping[Run, Sequence[int]]


def _train(missing: _Missing, place: Place, records: Records) -> bool:
  """One seed of all runs after another; returns whether all of it is done."""
  for seed in sorted({seed for seeds in missing.values() for seed in seeds}):
    for run in (run for run, seeds in missing.items() if seed in seeds):
      print(f'\n== {run.name}, seed {seed} ==\n{place.command(run, seed)}\n')
      _start(run, seed, place)
      record = train(run, seed, place)
      if record is None:
        return False
      records.add(record)
  return True


def _train_at_once(missing: _Missing, place: Place, records: Records) -> bool:
  """All seeds of one run after another; returns whether all of it is done."""
  from experiments.seeds_at_once import train_at_once

  for run, seeds in missing.items():
    if not seeds:
      continue
    print(f'\n== {run.name}, seeds {", ".join(map(str, seeds))} ==\n')
    _start(run, seeds[0], place)
    found = train_at_once(run, seeds, place)
    if found is None:
      return False
    for record in found:
      records.add(record)
  return True


def _measure(
  runs: Sequence[Run], seeds: Sequence[int], place: Place, records: Records
) -> None:
  """Adds the tests of other sets that are missing, of old records too."""
  for run in runs:
    for record in records.find(run.name, place.size):
      is_asked_for = record.command == place.command(run, record.seed)
      if (
        record.seed in seeds
        and is_asked_for
        and not set(run.other_tests) <= set(record.other_tests)
      ):
        print(f'\n== {run.name}, seed {record.seed}, other tests ==\n')
        _start(run, record.seed, place)
        records.add(other_tests.measure(run, record, place))


def _start(run: Run, seed: int, place: Place) -> None:
  """Prepares JAX as the run's configuration says."""
  from capsjax import runtime

  config = load_config(run, seed, place)
  runtime.start(matmul_precision=config.matmul_precision)
