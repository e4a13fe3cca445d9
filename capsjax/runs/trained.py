"""A run that was trained before, opened to be read."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from ml_collections import ConfigDict

from capsjax.data import Dataset
from capsjax.errors import UserError
from capsjax.runs import configuration
from capsjax.runs.experiment import Experiment
from capsjax.runs.folder import CHECKPOINTS, is_claimed
from capsjax.runs.inference import Inference
from capsjax.runs.restore import restore


@dataclasses.dataclass(frozen=True)
class Trained:
  """A run and one of its checkpoints.

  Attributes:
    experiment: the parts of the run.
    inference: its model on its test set.
    workdir: its folder.
    step: the step of the checkpoint.
    params: its parameters, on every device.
  """

  experiment: Experiment
  inference: Inference
  workdir: Path
  step: int
  params: Any

  @classmethod
  def open(
    cls,
    config: ConfigDict,
    workdir: Path,
    *,
    checkpoint_name: str,
    dataset: Dataset | None = None,
  ) -> 'Trained':
    """Reads the data, unless given, and a checkpoint.

    Args:
      config: the configuration.
      workdir: the folder of the run.
      checkpoint_name: 'latest', 'best', or the number of a step.
      dataset: in place of the data, which are then not read.

    Raises:
      UserError: if there is no such run or checkpoint.
    """
    which = parse_checkpoint(checkpoint_name)
    if not (workdir / configuration.FILE_NAME).is_file():
      raise UserError(
        f'{workdir} holds no run; train one with --config FILE --workdir '
        f'{workdir}'
      )
    experiment = Experiment.create(config, dataset)
    restored = restore(
      workdir / CHECKPOINTS,
      experiment.state_template(),
      which=which,
      warn=print,
    )
    if restored is None:
      raise UserError(f'{workdir} has no checkpoint yet; train it first')
    if is_claimed(workdir):
      print(
        f'{workdir} is being trained; this is its checkpoint of step '
        f'{restored.step:,}'
      )
    return cls(
      experiment,
      Inference(experiment),
      workdir,
      restored.step,
      experiment.devices.replicate(restored.state.params),
    )


def parse_checkpoint(name: str) -> Literal['latest', 'best'] | int:
  """Which checkpoint the user means.

  Raises:
    UserError: if none can be meant.
  """
  names: tuple[Literal['latest', 'best'], ...] = ('latest', 'best')
  for known in names:
    if name == known:
      return known
  if name.isdecimal():
    return int(name)
  raise UserError(
    f'--checkpoint {name}: must be latest, best, or the number of a step'
  )
