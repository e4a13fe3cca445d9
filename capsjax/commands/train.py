"""The command `train`: starts or resumes a run."""

from pathlib import Path

from capsjax.runs.config import Config
from capsjax.runs.trainer import train_run
from capsjax.training import Results


def run(
  config: Config, workdir: Path, *, checkpoint_name: str
) -> Results | None:
  """Trains for the configured number of epochs, or until interrupted.

  Args:
    config: the configuration.
    workdir: the folder of the run; an existing run is resumed.
    checkpoint_name: the checkpoint to resume from: 'latest', 'best', or the
      number of a step.

  Returns:
    The metrics on the test set, or None if interrupted.

  Raises:
    UserError: if the run cannot be started or resumed, or diverges.
  """
  return train_run(config, workdir, checkpoint_name=checkpoint_name)
