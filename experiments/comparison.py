"""Runs that are compared, and the table of their results."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.ensemble import ensemble_of
from experiments.records import Record, Records, mean_and_deviation, table
from experiments.runs import Place, Run

_HARDWARE = 'On {hardware} ({device}), {versions}.'


@dataclasses.dataclass(frozen=True)
class Comparison:
  """Runs that are compared.

  Attributes:
    name: the name of the module and of the results file.
    title: the heading of the table.
    runs: the rows.
    sizes: overrides for the sizes 'cpu' and 'full', each
      `--config.FIELD=VALUE`.
    num_seeds: the default number of seeds for each size.
    is_ensemble: whether to evaluate the networks of all seeds as an ensemble
      too.
  """

  name: str
  title: str
  runs: Sequence[Run]
  sizes: Mapping[str, tuple[str, ...]]
  num_seeds: Mapping[str, int]
  is_ensemble: bool = False


def render(comparison: Comparison, records: Records) -> str:
  """Renders the table of a comparison as Markdown.

  What was not run is left as an empty cell. Runs with fields set by the user
  get rows of their own that say what was set.

  Args:
    comparison: the runs.
    records: their results.
  """
  others = sorted({name for run in comparison.runs for name in run.other_tests})
  head = ['run', 'paper', 'best published', 'size', 'ours']
  head += [f'ours on {name}' for name in others]
  head += ['by seed', 'epochs', 'minutes']
  rows, machines = [], {}
  for run in comparison.runs:
    of_run = [
      (named, size, found)
      for named in _with_ensembles(run, records)
      for size in ('full', 'cpu')
      for found in _alike(records.find(named.name, size))
    ]
    for named, size, found in of_run or [(run, '', [])]:
      label = size + _what_was_set(comparison, run, found)
      rows.append(_row(named, label, found, others))
      for record in found:
        machines[_HARDWARE.format(**dataclasses.asdict(record))] = None
  text = f'{table(head, rows)}\n\nTest error in percent.'
  return ' '.join([text, *machines]) + '\n'


def _with_ensembles(run: Run, records: Records) -> list[Run]:
  """Returns a run, followed by its recorded ensembles as runs."""
  names = [n for n in records.run_names if ensemble_of(n) == run.name]
  return [run, *(dataclasses.replace(run, name=name) for name in names)]


def _alike(found: Sequence[Record]) -> list[list[Record]]:
  """Groups records whose commands differ only in the seed."""
  groups: dict[str, list[Record]] = {}
  for record in found:
    key = repr(sorted(_fields(record.command).items()))
    groups.setdefault(key, []).append(record)
  return list(groups.values())


def _fields(command: str) -> dict[str, str]:
  """The fields that a command sets, except the seed; the last value wins."""
  fields = {}
  for word in shlex.split(command):
    option, _, value = word.partition('=')
    if option.startswith('--config.'):
      fields[option.removeprefix('--config.')] = value
    elif option.startswith('--noconfig.'):
      fields[option.removeprefix('--noconfig.')] = 'False'
  fields.pop('seed', None)
  return fields


def _what_was_set(
  comparison: Comparison, run: Run, found: Sequence[Record]
) -> str:
  """Fields that differ from the comparison's, such as ', num_epochs=3'."""
  if not found:
    return ''
  size = found[0].size
  place = Place(size, comparison.sizes.get(size, ()), Path(), '')
  usual = _fields(place.command(run, found[0].seed))
  return ''.join(
    f', {field}={value}'
    for field, value in _fields(found[0].command).items()
    if usual.get(field) != value
  )


def _row(run: Run, size: str, found: Sequence[Record], others: Sequence[str]):
  # An ensemble has no seed of its own.
  alone = [] if ensemble_of(run.name) else found
  by_seed = [f'{r.seed}: {r.error:.2f}' for r in alone]
  tests = [
    mean_and_deviation(
      [r.other_tests[name] for r in found if name in r.other_tests]
    )
    for name in others
  ]
  epochs = dict.fromkeys(f'{r.epochs:g}' for r in found)
  row = [run.name, run.paper, run.published, size]
  row += [mean_and_deviation([r.error for r in found]), *tests]
  row += [', '.join(by_seed), ', '.join(epochs)]
  return [*row, ', '.join(f'{r.minutes:g}' for r in found)]
