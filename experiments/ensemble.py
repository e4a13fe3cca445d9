"""Several trained networks as one: the sum of their capsule lengths."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from capsjax.errors import UserError
from capsjax.runs import Config
from experiments.records import Record
from experiments.runs import Place, Run

_NETWORKS_OF = ' networks of '


def ensemble_name(run: str, count: int) -> str:
  """What the networks of so many seeds of a run are called together."""
  return f'{count}{_NETWORKS_OF}{run}'


def ensemble_of(name: str) -> str:
  """Whose networks an ensemble is made of; '' if it is the name of a run."""
  return name.partition(_NETWORKS_OF)[2]


def measure_ensemble(
  run: Run, members: Sequence[Record], place: Place
) -> Record:
  """Measures the networks of several seeds together.

  Args:
    run: what was trained.
    members: what came of each seed alone.
    place: where the networks are.

  Returns:
    The record, whose minutes are those of all members.

  Raises:
    UserError: if one of them is not there.
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
  """The test error in percent of the networks of several seeds together.

  Args:
    run: what was trained.
    seeds: the seeds of the networks, all trained.
    place: where they are.

  Raises:
    UserError: if one of them is not there.
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
        f'{workdir} holds no network to measure with the others; name in '
        '--runs-dir where all of them are, or train them anew with another '
        '--results'
      )
    config = load_config(path, words)
    trained = TrainedRun.open(workdir, config=config)
    parts = list(trained.inference.apply_in_batches(trained.params))
    total = total + np.concatenate([output.scores for output, _ in parts])
    targets = np.concatenate([target for _, target in parts])
  return 100 * float(1 - all_predicted(total, targets).mean())


def require_same_test(config: Config) -> None:
  """Refuses data whose test is drawn by the seed, so that each has its own.

  Args:
    config: of one of the seeds.

  Raises:
    UserError: if they are so, or the folder is not there.
  """
  from capsjax.data.folder import arrange, find_source

  if config.dataset != 'folder' or not config.data_dir:
    return  # Without a folder, loading tells what is missing.
  source = find_source(config.data_dir)
  if 'test' not in arrange(source.names(), root=source.path).splits:
    raise UserError(
      f'{source.path} has no folder test, so that each seed draws one of its '
      'own; make the folders train and test to take seeds together'
    )
