"""The command `train`: starts or continues a run."""

from pathlib import Path

from capsjax.runs.config import Config
from capsjax.runs.trainer import train
from capsjax.training import Results


def run(
  config: Config, workdir: Path, *, checkpoint_name: str
) -> Results | None:
  """Trains to the end of the configuration, or until interrupted.

  Args:
    config: the configuration.
    workdir: the folder of the run, which is continued if there is one.
    checkpoint_name: 'latest', 'best', or the number of a step to go on from.

  Returns:
    The metrics on the test set, or None if interrupted.

  Raises:
    UserError: if the run cannot be started or continued, or diverges.
  """
  return train(config, workdir, checkpoint_name=checkpoint_name)
