"""Runs that are compared, and the table of what came of them."""

import dataclasses
from collections.abc import Mapping, Sequence

from experiments.records import Record, Records, mean_and_deviation, table
from experiments.runs import Run

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
