"""Chooses where the metrics and pictures of a run are written."""

import dataclasses
from contextlib import ExitStack

from capsjax.runs.config import Config
from capsjax.runs.fields import flatten
from capsjax.runs.folder import RunFolder
from capsjax.runs.metrics_file import MetricsFile
from capsjax.runs.tensorboard import TensorBoardWriter
from capsjax.runs.weights_and_biases import WandbWriter, require_wandb
from capsjax.runs.writers import Writer, Writers

# The final result of a run: the test error in percent.
RESULT = 'test/error_percent'


def require_tracking(config: Config) -> None:
  """Checks that the packages that `config.tracking` needs are installed.

  Raises:
    UserError: if one is not.
  """
  if config.tracking == 'wandb':
    require_wandb()


def open_writers(
  folder: RunFolder,
  config: Config,
  *,
  resume_step: int,
  steps_per_epoch: int,
) -> Writers:
  """Opens everything that the metrics of a run are written to.

  Args:
    folder: the folder of the run.
    config: its configuration.
    resume_step: the step that the run resumes from. Metrics of later steps are
      dropped, because the run will write them again.
    steps_per_epoch: the number of steps in an epoch.

  Returns:
    `metrics.jsonl` and TensorBoard, and the service that `config.tracking`
    names, as one writer.

  Raises:
    UserError: if the folder cannot be written, or the service cannot be used.
  """
  require_tracking(config)
  with ExitStack() as stack:
    writers: list[Writer] = []

    def add(writer: Writer) -> None:
      stack.callback(writer.close)
      writers.append(writer)

    add(
      MetricsFile(
        folder, resume_step=resume_step, steps_per_epoch=steps_per_epoch
      )
    )
    add(
      TensorBoardWriter(
        folder,
        resume_step=resume_step,
        hyperparameters=flatten(config),
        results=[RESULT],
      )
    )
    if config.tracking == 'wandb':
      add(WandbWriter(folder, dataclasses.asdict(config)))
    # From here on, the caller closes them.
    stack.pop_all()
  return Writers(writers)
