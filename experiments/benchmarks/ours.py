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
  """The experiment of configs/mnist.py on random images.

  Args:
    overrides: `--config.FIELD=VALUE` each.
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
  """Takes training steps, shifts and the gathering of batches included.

  Args:
    experiment: what is trained.
    steps_per_call: how many steps a call takes.
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
    """Trains; returns the metrics, perhaps not yet computed.

    Args:
      steps: how many, if not `steps_per_call`; each number is compiled once.
    """
    self.state, metrics = self._train_fn(
      self.state, self._data, self._order, steps or self._steps
    )
    return metrics


class Evaluation:
  """Evaluates the whole test set, from the host's memory."""

  def __init__(self, experiment: Experiment) -> None:
    self._experiment = experiment
    params = jax.jit(experiment.create_state)().params
    self._params = experiment.devices.replicate(params)

  def __call__(self) -> Results:
    """The results."""
    return self._experiment.evaluate(
      self._params, self._experiment.dataset.test
    )
