"""Ensembles of trained networks, whose capsule lengths are summed."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from capsjax.errors import UserError
from capsjax.runs import Config
from experiments.records import Record
from experiments.runs import Place, Run

_NETWORKS_OF = ' networks of '


def ensemble_name(run: str, count: int) -> str:
  """Names the ensemble of `count` seeds of a run."""
  return f'{count}{_NETWORKS_OF}{run}'


def ensemble_of(name: str) -> str:
  """Returns the run that an ensemble is made of; '' if `name` is a run's."""
  return name.partition(_NETWORKS_OF)[2]


def measure_ensemble(
  run: Run, members: Sequence[Record], place: Place
) -> Record:
  """Evaluates the networks of several seeds as an ensemble.

  Args:
    run: the run that was trained.
    members: the record of each seed.
    place: where the networks are.

  Returns:
    The ensemble's record; its minutes are the total over all members.

  Raises:
    UserError: if a network is missing.
  """
  error = ensemble_error(run, [record.seed for record in members], place)
  return dataclasses.replace(
    members[0],
    run=ensemble_name(run.name, len(members)),
    other_tests={},
    test_error_percent={f'{members[0].epochs:g}': round(error, 4)},
    minutes=round(sum(record.minutes for record in members), 1),
  )


def ensemble_error(run: Run, seeds: Sequence[int], place: Place) -> float:
  """Computes the test error of an ensemble of seeds, in percent.

  Args:
    run: the run that was trained.
    seeds: the seeds of the networks, all trained.
    place: where the networks are.

  Raises:
    UserError: if a network is missing.
  """
  from capsjax.gallery import all_predicted
  from capsjax.runs import RunFolder, TrainedRun, load_config

  total, targets = 0.0, None
  for seed in seeds:
    workdir = place.workdir(run, seed)
    words = [f'--config.data_dir={place.data_dir}'] if place.data_dir else []
    path = RunFolder(workdir).config
    if not path.is_file():
      raise UserError(
        f'{workdir} holds no network for the ensemble; set --runs-dir to the '
        'folder that has all of them, or train them again with another '
        '--results'
      )
    config = load_config(path, words)
    trained = TrainedRun.open(workdir, config=config)
    parts = list(trained.inference.apply_in_batches(trained.variables))
    total = total + np.concatenate([output.scores for output, _ in parts])
    targets = np.concatenate([target for _, target in parts])
  return 100 * float(1 - all_predicted(total, targets).mean())


def require_same_test(config: Config) -> None:
  """Refuses data whose test set depends on the seed.

  Args:
    config: the configuration of one of the seeds.

  Raises:
    UserError: if each seed draws its own test set, or the folder is missing.
  """
  from capsjax.data.folder import arrange, find_source

  if config.dataset != 'folder' or not config.data_dir:
    return  # Without a folder, loading reports what is missing.
  source = find_source(config.data_dir)
  if 'test' not in arrange(source.names(), root=source.path).splits:
    raise UserError(
      f'{source.path} has no folder test, so each seed draws its own test '
      'set; make the folders train and test to combine seeds'
    )
