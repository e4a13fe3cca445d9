"""The command `train`: starts or resumes a run."""

import signal
from pathlib import Path

from capsjax.runs.config import Config
from capsjax.runs.trainer import train_run
from capsjax.training import StopRequest


def run(config: Config, workdir: Path, *, checkpoint_name: str) -> int:
  """Trains for the configured number of epochs, or until interrupted.

  Args:
    config: the configuration.
    workdir: the folder of the run; an existing run is resumed.
    checkpoint_name: the checkpoint to resume from: 'latest', 'best', or the
      number of a step.

  Returns:
    The exit status: 0 at the end of training; after a signal, once all is
    saved, 128 and its number, as a shell expects it: 130 for Ctrl-C.

  Raises:
    UserError: if the run cannot be started or resumed, or diverges.
  """
  stop = StopRequest()
  results = train_run(
    config, workdir, checkpoint_name=checkpoint_name, stop=stop
  )
  if results is not None:
    return 0
  # In a run of several processes, the signal may have been another's.
  return 128 + (stop.signal or signal.SIGINT)
