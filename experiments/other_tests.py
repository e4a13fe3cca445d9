"""Evaluates a trained run on the test sets of other data sets."""

import dataclasses
from pathlib import Path

from capsjax.errors import UserError
from capsjax.runs import (
  RunFolder,
  error_curve,
  read_course,
  require_continues,
)
from experiments.records import Record
from experiments.runs import Place, Run, config_of


def measure(run: Run, record: Record, place: Place) -> Record:
  """Evaluates the last checkpoint on the data sets that are still missing.

  Args:
    run: the run that was trained, with the data sets to evaluate it on.
    record: the record of one of its seeds.
    place: the size, and where the runs are.

  Returns:
    The record with the error on every set whose files are available; the others
    are printed.
  """
  if not _is_what_was_recorded(run, record, place):
    return record
  missing = [name for name in run.other_tests if name not in record.other_tests]
  workdir = place.workdir(run, record.seed)
  found = dict(record.other_tests)
  for name in missing:
    config = dataclasses.replace(
      config_of(run, record.seed, place),
      dataset=name,
      # No training images are used, and the set may have fewer.
      train_size=0,
      validation_size=0,
      stop_at_accuracy=0.0,
    )
    try:
      found[name] = round(_test_error(config, workdir), 4)
      print(f'{name}: test error {found[name]:.2f}%')
    except UserError as error:
      print(f'not measured on {name}: {error}')
  return dataclasses.replace(record, other_tests=found)


def _is_what_was_recorded(run: Run, record: Record, place: Place) -> bool:
  """Whether the folder of the run still holds the recorded run."""
  workdir = place.workdir(run, record.seed)
  config = config_of(run, record.seed, place)
  try:
    require_continues(config, RunFolder(workdir).config, option='--runs-dir')
    course = read_course(RunFolder(workdir))
  except UserError as error:
    print(f'not measured on other tests: {error}')
    return False
  epochs = error_curve(course).epochs
  if len(epochs) and epochs[-1] == record.epochs:
    return True
  print(
    f'not measured on other tests: {workdir} is not at {record.epochs:g} '
    'epochs, but its record is'
  )
  return False


def _test_error(config, workdir: Path) -> float:
  """Computes the test error of the last checkpoint, in percent.

  Raises:
    UserError: if the run or the data are missing.
  """
  from capsjax.runs import TrainedRun

  trained = TrainedRun.open(workdir, config=config)
  experiment = trained.experiment
  variables = trained.variables
  return experiment.evaluate(variables, experiment.dataset.test).error
