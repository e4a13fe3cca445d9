"""What a script calls: train a run, or load one."""

import dataclasses
from pathlib import Path

from ml_collections import ConfigDict

from capsjax import runtime
from capsjax.data import Dataset, hold_out, limit_training
from capsjax.runs import configuration
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import load_dataset_file
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun
from capsjax.runs.trainer import train_run


def load(
  workdir: Path | str, *, checkpoint: str | int = 'latest'
) -> TrainedRun:
  """Opens a trained run, without its data.

  Args:
    workdir: the folder of the run.
    checkpoint: 'latest', 'best', or the number of a step.

  Returns:
    The run: `predict`, `lengths`, `capsules`, `couplings`, `reconstruct` and
    `evaluate` apply its network.

  Raises:
    UserError: if there is no such run or checkpoint.
  """
  folder = RunFolder(Path(workdir))
  folder.require_run()
  # It may have been trained on a machine with more devices.
  config = dataclasses.replace(
    configuration.load_config(folder.config), num_devices=0
  )
  return TrainedRun.open(
    folder.path,
    config=config,
    checkpoint_name=str(checkpoint),
    dataset=load_dataset_file(folder),
  )


def train(
  config: Config | ConfigDict | Path | str,
  workdir: Path | str,
  *,
  dataset: Dataset | None = None,
) -> TrainedRun:
  """Trains a run to its end, from where it is.

  Args:
    config: a configuration, or the file of one.
    workdir: the folder of the run, which is continued if there is one.
    dataset: the images, such as `dataset_from_arrays` makes; those that the
      configuration names if None.

  Returns:
    The run; after Ctrl-C, as far as it came.

  Raises:
    UserError: if the run cannot be started or continued, or diverges.
  """
  if isinstance(config, Path | str):
    config = configuration.load_config(config)
  elif isinstance(config, ConfigDict):
    config = configuration.from_dict(config.to_dict())
  if dataset is not None:
    # Arrays are trained on as they are.
    images = dataclasses.replace(config.images, size=0, channels=0)
    config = dataclasses.replace(config, dataset=dataset.name, images=images)
  config = configuration.from_dict(dataclasses.asdict(config))
  if dataset is not None:
    dataset = hold_out(
      dataset, validation_size=config.validation_size, seed=config.seed
    )
    dataset = limit_training(
      dataset, train_size=config.train_size, seed=config.seed
    )
  runtime.start(matmul_precision=config.matmul_precision)
  train_run(config, Path(workdir), dataset=dataset)
  return load(workdir)
