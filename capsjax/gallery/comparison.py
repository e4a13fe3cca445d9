"""The report that compares several runs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from capsjax.runs.config import Config
from capsjax.runs.course import (
  Line,
  curve,
  error_curve,
  read_course,
)
from capsjax.runs.fields import flatten, named_fields
from capsjax.runs.folder import RunFolder
from capsjax.visualization import (
  Block,
  Curve,
  Section,
  Table,
  curves_figure,
)

# Panels of curves: the heading, and the name of the metric.
_QUANTITIES = {
  'loss, training': 'train/loss',
  'loss, test': 'test/loss',
  'accuracy, training': 'train/accuracy',
  'learning rate': 'train/learning_rate',
}


def compare_runs(configs: Mapping[Path, Config]) -> list[Section]:
  """Compares runs by the fields in which they differ.

  Runs that differ only in the seed form a group, which is shown by its mean and
  standard deviation.

  Args:
    configs: the configuration of each run, keyed by its folder.

  Returns:
    Sections of a report.

  Raises:
    UserError: if a run has no metrics yet.
  """
  courses = {workdir: read_course(RunFolder(workdir)) for workdir in configs}
  names = _names(configs)
  groups: dict[str, list[Path]] = {}
  for workdir, name in names.items():
    groups.setdefault(name, []).append(workdir)
  curves = {
    title: {w: curve(of_run, name) for w, of_run in courses.items()}
    for title, name in _QUANTITIES.items()
  }
  curves['test error in percent'] = {
    workdir: error_curve(of_run) for workdir, of_run in courses.items()
  }
  figure = curves_figure(
    {title: _by_group(groups, found) for title, found in curves.items()}
  )
  return [
    Section('Groups', [Block(table=_group_table(groups, courses))]),
    Section(
      'Curves',
      [
        Block(
          note='A group of several seeds is shown by its mean, with the '
          'standard deviation shaded.',
          figure=figure,
        )
      ],
    ),
    Section('Runs', [Block(table=_run_table(configs, names, courses))]),
  ]


def _last_error(course: Sequence[Line]) -> float | None:
  """Returns the last test error in percent, or None without a test."""
  errors = error_curve(course).values
  return float(errors[-1]) if len(errors) else None


def _names(configs: Mapping[Path, Config]) -> dict[Path, str]:
  """Names each run by the fields that distinguish it, other than the seed."""
  flat: dict[Path, dict[str, Any]] = {
    workdir: flatten(config) for workdir, config in configs.items()
  }
  # Runs that differ only in these fields are repetitions of each other.
  alike = {'seed'} | {
    field.name
    for config in configs.values()
    for field in named_fields(config)
    if field.may_change and field.name != 'num_epochs'
  }
  fields = sorted({field for values in flat.values() for field in values})
  told = [
    field
    for field in fields
    if field not in alike
    and len({repr(values.get(field)) for values in flat.values()}) > 1
  ]
  return {
    workdir: ', '.join(f'{field}={values.get(field)}' for field in told)
    or 'same settings'
    for workdir, values in flat.items()
  }


def _by_group(
  groups: Mapping[str, Sequence[Path]], curves: Mapping[Path, Curve]
) -> dict[str, list[Curve]]:
  """Returns the non-empty curves of each group."""
  found = {
    name: [curves[w] for w in workdirs if len(curves[w].epochs)]
    for name, workdirs in groups.items()
  }
  return {name: members for name, members in found.items() if members}


def _group_table(groups, courses):
  rows = []
  for name, workdirs in groups.items():
    errors = [
      error for w in workdirs if (error := _last_error(courses[w])) is not None
    ]
    mean = f'{np.mean(errors):.2f}%' if errors else '–'
    deviation = f' ± {np.std(errors, ddof=1):.2f}' if len(errors) > 1 else ''
    rows.append((name, len(workdirs), len(errors), mean + deviation))
  return Table(('group', 'runs', 'tested', 'last test error'), rows)


def _run_table(configs, names, courses):
  rows = []
  for workdir, config in configs.items():
    error = _last_error(courses[workdir])
    told = '–' if error is None else f'{error:.2f}%'
    epochs = f'{courses[workdir][-1]["epoch"]:g}'
    rows.append((str(workdir), names[workdir], config.seed, epochs, told))
  return Table(('run', 'group', 'seed', 'epochs', 'last test error'), rows)
