"""The command line of all experiments: train what is missing, tabulate."""

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from capsjax.errors import UserError, did_you_mean
from capsjax.huge_pages import restart_with_huge_pages
from experiments.ensemble import ensemble_error
from experiments.records import Record, Records, mean_and_deviation, table
from experiments.runs import Place, Run, train

_DESCRIPTION = """\
Trains the runs that are not done, one seed of all of them after another, and
prints a Markdown table of what the paper reports, what is published, and what
came of them. Ctrl-C or a kill loses nothing: the same command goes on.
"""
_HARDWARE = 'On {hardware} ({device}), {versions}.'


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Runs that are compared.

  Attributes:
    name: that of the module, and of the file of results.
    title: the heading of the table.
    runs: the rows.
    sizes: overrides of the sizes 'cpu' and 'full', `--config.FIELD=VALUE` each.
    num_seeds: how many seeds each size trains, if the user does not say.
    is_ensemble: whether the networks of all seeds are measured together too.
  """

  name: str
  title: str
  runs: Sequence[Run]
  sizes: Mapping[str, tuple[str, ...]]
  num_seeds: Mapping[str, int]
  is_ensemble: bool = False


def render(experiment: Experiment, records: Records) -> str:
  """The table of an experiment as Markdown.

  A number that was not run is an empty cell.

  Args:
    experiment: what was run.
    records: what came of it.
  """
  others = sorted({name for run in experiment.runs for name in run.other_tests})
  head = ['run', 'paper', 'best published', 'size', 'ours']
  head += [f'ours on {name}' for name in others]
  head += ['by seed', 'epochs', 'minutes']
  rows, machines = [], {}
  for run in experiment.runs:
    found = {size: records.find(run.name, size) for size in ('full', 'cpu')}
    for size, of_size in found.items():
      if of_size or (size == 'cpu' and not any(found.values())):
        rows.append(_row(run, size if of_size else '', of_size, others))
      for record in of_size:
        words = _HARDWARE.format(**dataclasses.asdict(record))
        machines[words] = None
  text = f'{table(head, rows)}\n\nTest error in percent.'
  return ' '.join([text, *machines]) + '\n'


def _row(run: Run, size: str, found: Sequence[Record], others: Sequence[str]):
  by_seed = [f'{r.seed}: {r.error:.2f}' for r in found]
  tests = [
    mean_and_deviation(
      [r.other_tests[name] for r in found if name in r.other_tests]
    )
    for name in others
  ]
  row = [run.name, run.paper, run.published, size]
  row += [mean_and_deviation([r.error for r in found]), *tests]
  row += [', '.join(by_seed), ', '.join({f'{r.epochs:g}': 0 for r in found})]
  return [*row, ', '.join(f'{r.minutes:g}' for r in found)]


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
  if not options.table and not _train(runs, seeds, place, records):
    print('stopped, all saved; the same command goes on')
    return 0
  if experiment.is_ensemble and len(seeds) > 1 and not options.table:
    for run in runs:
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


def _train(
  runs: Sequence[Run], seeds: Sequence[int], place: Place, records: Records
) -> bool:
  """Trains what is missing; returns whether all of it is done."""
  from capsjax import runtime

  runtime.start()
  for seed in seeds:
    for run in runs:
      command = place.command(run, seed)
      if any(r.command == command for r in records.find(run.name, place.size)):
        continue
      print(f'\n== {run.name}, seed {seed} ==\n{command}\n', flush=True)
      record = train(run, seed, place)
      if record is None:
        return False
      records.add(record)
  return True
