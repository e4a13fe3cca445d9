"""Opens a trained run by its folder alone, without its data."""

import dataclasses
from pathlib import Path

from capsjax.runs import configuration
from capsjax.runs.dataset_file import load_dataset_file
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun


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

  Examples:
    After `capsjax --config digits`, the run is in `runs/digits`:

    >>> import capsjax
    >>> from capsjax.data import load_digits
    >>> run = capsjax.load('runs/digits')
    >>> test = load_digits().test
    >>> run.predict(test.images).shape
    (360,)
    >>> bool((run.predict(test.images) == test.labels).mean() > 0.5)
    True
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
