"""A trained run, opened for reading."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, UInt8

from capsjax.data import Dataset, Split
from capsjax.errors import UserError
from capsjax.examples import Preparation, SingleExamples
from capsjax.runs import configuration
from capsjax.runs.config import Config
from capsjax.runs.experiment import Experiment
from capsjax.runs.folder import RunFolder
from capsjax.runs.inference import Inference
from capsjax.runs.restoring import restore


@dataclasses.dataclass(frozen=True)
class TrainedRun:
  """A run and one of its checkpoints.

  Attributes:
    experiment: the parts of the run.
    inference: applies its model to its test set.
    folder: its folder.
    step: the step of the checkpoint.
    params: the parameters of the checkpoint, on every device.
  """

  experiment: Experiment
  inference: Inference
  folder: RunFolder
  step: int
  params: Any

  @classmethod
  def open(
    cls,
    workdir: Path,
    *,
    config: Config | None = None,
    checkpoint_name: str = 'latest',
    dataset: Dataset | None = None,
  ) -> 'TrainedRun':
    """Reads a checkpoint, and the data unless they are given.

    Args:
      workdir: the folder of the run.
      config: the configuration; read from the folder if None.
      checkpoint_name: 'latest', 'best', or the number of a step.
      dataset: the data set; read if None.

    Raises:
      UserError: if there is no such run or checkpoint.
    """
    which, folder = parse_checkpoint(checkpoint_name), RunFolder(workdir)
    folder.require_run()
    experiment = Experiment.create(
      config or configuration.load_config(folder.config), dataset
    )
    restored = restore(
      folder.checkpoints,
      experiment.state_template(),
      which=which,
      warn=print,
    )
    if restored is None:
      raise UserError(f'{folder} has no checkpoint yet; train it first')
    if folder.is_claimed():
      print(
        f'{folder} is being trained; reading its checkpoint of step '
        f'{restored.step:,}'
      )
    return cls(
      experiment,
      Inference(experiment),
      folder,
      restored.step,
      experiment.devices.replicate(restored.state.params),
    )

  def scores(
    self, images: UInt8[np.ndarray, 'n h w c']
  ) -> Float[np.ndarray, 'n num_classes']:
    """Returns the scores of all classes for the user's own images.

    Args:
      images: images of the size of the training images; for a run on pairs, of
        the size of a pair.
    """
    experiment, examples = self.experiment, self.experiment.examples
    if examples.num_objects > 1:
      # The images already show several objects.
      examples = SingleExamples(examples.num_classes, Preparation())
    shown = Split(images, np.zeros(len(images), np.int32))
    dataset = dataclasses.replace(
      experiment.dataset, train=shown, test=shown, validation=None
    )
    experiment = dataclasses.replace(
      experiment, dataset=dataset, examples=examples
    )
    positions = np.arange(len(images))
    return Inference(experiment).apply(self.params, positions).scores


def parse_checkpoint(name: str) -> Literal['latest', 'best'] | int:
  """Parses the value of `--checkpoint`.

  Raises:
    UserError: if it is neither 'latest', 'best' nor the number of a step.
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
