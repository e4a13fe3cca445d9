"""Runs a comparison: trains what is missing, evaluates, prints the table."""

import argparse
from collections.abc import Mapping, Sequence

from capsjax.errors import UserError, did_you_mean
from experiments import other_tests
from experiments.comparison import Comparison, render
from experiments.ensemble import (
  ensemble_name,
  measure_ensemble,
  require_same_test,
)
from experiments.options import parse
from experiments.program import leave_with
from experiments.records import Records
from experiments.runs import Place, Run, config_of, train_run


def main(comparison: Comparison) -> None:
  """Runs the command of a comparison and exits with its status."""
  leave_with(comparison.name, lambda: _run(comparison, parse(comparison)))


def _run(comparison: Comparison, options: argparse.Namespace) -> int:
  path = options.results or options.runs_dir / f'{comparison.name}.json'
  records = Records(path)
  runs = _chosen(comparison, options)
  if not options.table and not _complete(comparison, runs, options, records):
    print('stopped, all saved; the same command resumes')
    return 0
  if options.size == 'smoke' and not options.table:
    print('the smoke size works; its numbers mean nothing')
    return 0
  print(f'\n{comparison.title}\n\n{render(comparison, records)}')
  print(f'results in {path}')
  return 0


def _complete(
  comparison: Comparison,
  runs: Sequence[Run],
  options: argparse.Namespace,
  records: Records,
) -> bool:
  """Trains and evaluates what is missing; returns whether all is done."""
  place = Place(
    options.size,
    (*comparison.sizes.get(options.size, ()), *options.overrides),
    options.runs_dir,
    options.data_dir,
  )
  seeds = range(options.seeds or comparison.num_seeds[options.size])
  are_together = comparison.is_ensemble and len(seeds) > 1
  if are_together:
    for run in runs:
      require_same_test(config_of(run, seeds[0], place))
  missing = {
    run: [
      seed
      for seed in seeds
      if not records.get(run.name, place.size, place.command(run, seed))
    ]
    for run in runs
  }
  train_missing = _train_at_once if options.at_once else _train
  if not train_missing(missing, place, records):
    return False
  for run in runs:
    if options.size != 'smoke':
      _measure_other_tests(run, seeds, place, records)
    if are_together:
      _measure_together(run, seeds, place, records, is_new=bool(missing[run]))
  return True


def _chosen(comparison: Comparison, options: argparse.Namespace) -> list[Run]:
  runs = {run.name: run for run in comparison.runs}
  for name in options.only or ():
    if name not in runs:
      raise UserError(f'no run {name}; {did_you_mean(name, runs)}')
  if options.only:
    return [runs[name] for name in options.only]
  if options.size != 'cpu':
    return list(comparison.runs)
  large = [run.name for run in comparison.runs if not run.is_small]
  if large and not options.table:
    print(f'left out, takes hours on a CPU: {", ".join(large)} (see --only)')
  return [run for run in comparison.runs if run.is_small]


# The seeds that are not trained yet, by run.
_Missing = Mapping[Run, Sequence[int]]


def _train(missing: _Missing, place: Place, records: Records) -> bool:
  """Trains seed by seed, all runs of each; returns whether all is done."""
  for seed in sorted({seed for seeds in missing.values() for seed in seeds}):
    for run in (run for run, seeds in missing.items() if seed in seeds):
      print(f'\n== {run.name}, seed {seed} ==\n{place.command(run, seed)}\n')
      _start_jax(run, seed, place)
      record = train_run(run, seed, place)
      if record is None:
        return False
      records.add(record)
  return True


def _train_at_once(missing: _Missing, place: Place, records: Records) -> bool:
  """Trains run by run, all seeds at once; returns whether all is done."""
  from experiments.seeds_at_once import train_at_once

  for run, seeds in missing.items():
    if not seeds:
      continue
    print(f'\n== {run.name}, seeds {", ".join(map(str, seeds))} ==\n')
    _start_jax(run, seeds[0], place)
    found = train_at_once(run, seeds, place)
    if found is None:
      return False
    for record in found:
      records.add(record)
  return True


def _measure_other_tests(
  run: Run, seeds: Sequence[int], place: Place, records: Records
) -> None:
  """Adds missing tests on other data sets, to older records too."""
  for seed in seeds:
    record = records.get(run.name, place.size, place.command(run, seed))
    if record and not set(run.other_tests) <= set(record.other_tests):
      print(f'\n== {run.name}, seed {seed}, other tests ==\n')
      _start_jax(run, seed, place)
      records.add(other_tests.measure(run, record, place))


def _measure_together(
  run: Run,
  seeds: Sequence[int],
  place: Place,
  records: Records,
  *,
  is_new: bool,
) -> None:
  """Evaluates the ensemble of all seeds and adds its record."""
  name = ensemble_name(run.name, len(seeds))
  commands = [place.command(run, seed) for seed in seeds]
  if is_new or not records.get(name, place.size, commands[0]):
    print(f'\n== {name}, on the test set ==\n')
    _start_jax(run, seeds[0], place)
    members = [records.get(run.name, place.size, c) for c in commands]
    record = measure_ensemble(run, [m for m in members if m], place)
    records.add(record)
    print(f'{name}: test error {record.error:.2f}%')


def _start_jax(run: Run, seed: int, place: Place) -> None:
  """Starts JAX with the settings of the run's configuration."""
  from capsjax import runtime

  config = config_of(run, seed, place)
  runtime.start(matmul_precision=config.matmul_precision)
