"""The training step of capsjax, exactly as `capsjax.main` runs it."""

from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from capsjax.data import Dataset, Split
from capsjax.examples import epoch_permutation
from capsjax.runs import Experiment, load_config
from capsjax.training import Metrics, Results

_CONFIG = Path('configs/mnist.py')


def create_experiment(
  overrides: Sequence[str] = (),
  *,
  num_images: int,
  image_shape: tuple[int, int, int] = (28, 28, 1),
  num_classes: int = 10,
) -> Experiment:
  """Creates the experiment of configs/mnist.py on random images.

  Args:
    overrides: overrides of the configuration, each `--config.FIELD=VALUE`.
    num_images: the size of the training set, and of the test set.
    image_shape: height, width, channels.
    num_classes: the number of classes.
  """
  config = load_config(_CONFIG, overrides)
  rng = np.random.default_rng(0)
  split = Split(
    rng.integers(0, 256, (num_images, *image_shape), np.uint8),
    rng.integers(0, num_classes, num_images, np.int32),
  )
  dataset = Dataset('random', split, split, None, num_classes)
  return Experiment.create(config, dataset)


class TrainStep:
  """Takes training steps, including the gathering and shifting of batches.

  Args:
    experiment: the experiment to train.
    steps_per_call: the number of steps per call.
  """

  def __init__(
    self, experiment: Experiment, *, steps_per_call: int = 1
  ) -> None:
    devices = experiment.devices
    self.state = devices.replicate(experiment.create_state())
    self._data = experiment.data_of(experiment.dataset.train)
    self._train_fn = experiment.train_fn()
    size = len(experiment.dataset.train)
    self._order = epoch_permutation(experiment.keys.order, 0, size)
    self._steps = steps_per_call

  def __call__(self, steps: int | None = None) -> Metrics:
    """Trains and returns the metrics, which may not be computed yet.

    Args:
      steps: the number of steps (default: `steps_per_call`). Each number is
        compiled once.
    """
    self.state, metrics = self._train_fn(
      self.state, self._data, self._order, steps or self._steps
    )
    return metrics


class Evaluation:
  """Evaluates the whole test set, starting from host memory."""

  def __init__(self, experiment: Experiment) -> None:
    self._experiment = experiment
    variables = jax.jit(experiment.create_state)().variables
    self._variables = experiment.devices.replicate(variables)

  def __call__(self) -> Results:
    """Returns the results."""
    return self._experiment.evaluate(
      self._variables, self._experiment.dataset.test
    )
