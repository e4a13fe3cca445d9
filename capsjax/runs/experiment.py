"""Builds the parts of a run from its configuration."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn

from capsjax.data import Dataset, Split, outline
from capsjax.errors import UserError, one_line
from capsjax.examples import DeviceData, Examples, create_make_batch
from capsjax.layers import capsule_statistics
from capsjax.models import create_model
from capsjax.runs.config import Config
from capsjax.runs.parts import (
  classification_loss_name,
  create_examples,
  create_objective,
  require_fits,
  require_sense,
)
from capsjax.runs.reading import choose_images, read_dataset
from capsjax.training import (
  DEVICE_AXIS,
  Devices,
  EvaluateFn,
  Objective,
  Results,
  RunKeys,
  Steps,
  TrainFn,
  TrainState,
  create_eval_step,
  create_optimizer,
  create_schedule,
  create_state,
  create_steps,
  create_train_step,
  evaluate,
  freeze,
  gradient_norms,
  stream_evaluation,
  stream_training,
  window,
)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything that a configuration describes, ready to train or evaluate.

  Attributes:
    config: the configuration.
    dataset: the images and labels.
    examples: makes examples from the images.
    devices: the devices to compute on.
    model: the network.
    objective: the loss function.
    optimizer: the gradient transformation.
    schedule: the learning rate by step.
    keys: one PRNG key per source of randomness.
  """

  config: Config
  dataset: Dataset
  examples: Examples
  devices: Devices
  model: nn.Module
  objective: Objective
  optimizer: optax.GradientTransformation
  schedule: optax.Schedule
  keys: RunKeys

  @classmethod
  def create(
    cls, config: Config, dataset: Dataset | None = None
  ) -> 'Experiment':
    """Builds all parts.

    Args:
      config: the configuration.
      dataset: replaces the data set that the configuration names.

    Raises:
      UserError: if a value of the configuration is invalid or the data are
        missing.
    """
    devices = Devices(limit=config.num_devices)
    require_sense(config)
    if dataset is None:
      dataset = read_dataset(config)
    examples = create_examples(config, dataset.num_classes)
    steps_per_epoch = len(dataset.train) // config.batch_size
    if not steps_per_epoch:
      raise UserError(
        f'batch_size={config.batch_size} is larger than the training set of '
        f'{len(dataset.train)} images'
      )
    model = create_model(
      config.model_name,
      num_classes=dataset.num_classes,
      num_labels=config.num_objects,
      **dataclasses.asdict(config.model),
    )
    require_fits(config, dataset)
    fields = dataclasses.asdict(config.optimizer)
    use_epsilon_hat = fields.pop('use_epsilon_hat')
    schedule = create_schedule(steps_per_epoch=steps_per_epoch, **fields)
    return cls(
      config=config,
      dataset=dataset,
      examples=examples,
      devices=devices,
      model=model,
      objective=create_objective(config, dataset),
      optimizer=freeze(
        create_optimizer(schedule, use_epsilon_hat=use_epsilon_hat),
        config.freeze,
      ),
      schedule=schedule,
      keys=RunKeys.create(config.seed),
    )

  @property
  def steps_per_epoch(self) -> int:
    """Steps per epoch; an epoch leaves out images that fill no batch."""
    return len(self.dataset.train) // self.config.batch_size

  @property
  def image_shape(self) -> tuple[int, int, int]:
    """Height, width and channels of the model's input."""
    return self.examples.image_shape(self.dataset.image_shape)

  @property
  def test_size(self) -> int:
    """The number of test examples."""
    return self.examples.test_size(len(self.dataset.test))

  def create_state(self) -> TrainState:
    """Creates the state before the first step."""
    return create_state(
      self.model,
      self.optimizer,
      self.keys.init,
      image_shape=self.image_shape,
    )

  def state_template(self) -> TrainState:
    """Returns the shapes and types of the state, for restoring.

    Raises:
      UserError: if the model cannot be built for the images.
    """
    try:
      return jax.eval_shape(self.create_state)
    except (ArithmeticError, TypeError, ValueError) as error:
      shape = 'x'.join(map(str, self.image_shape))
      raise UserError(
        f'config.model, for images of {shape}: {one_line(error)}'
      ) from error

  def data_of(self, split: Split) -> DeviceData:
    """Returns a split on every device, or in host memory if streamed.

    A split is transferred once and stays there.
    """
    if id(split) not in self._data:
      data = self.examples.arrange(DeviceData(split.images, split.labels))
      if not self.config.stream_images:
        data = self.devices.replicate(data)
      # Keeping the split too makes sure that its `id` is not reused.
      self._data[id(split)] = split, data
    return self._data[id(split)][1]

  @functools.cached_property
  def _data(self) -> dict[int, tuple[Split, DeviceData]]:
    return {}

  def steps(self, keys: RunKeys, *, share: int, axis_name: str) -> Steps:
    """Creates the training steps of one device.

    Args:
      keys: one PRNG key per source of randomness; may differ from `self.keys`,
        to train with another seed.
      share: the number of examples of a batch per device.
      axis_name: name of the device axis.
    """
    train_step = create_train_step(
      self.model.apply,
      self.objective,
      self.optimizer,
      dropout_key=keys.dropout,
      num_labels=self.config.num_objects,
    )
    make_batch = create_make_batch(
      self.examples, augmentation_key=keys.augmentation
    )
    return create_steps(
      train_step,
      make_batch,
      batch_size=self.config.batch_size,
      share=share,
      steps_per_epoch=self.steps_per_epoch,
      num_classes=self.dataset.num_classes,
      axis_name=axis_name,
    )

  def train_fn(self) -> TrainFn:
    """Returns the compiled training function."""
    share = self.devices.share(self.config.batch_size)
    steps = self.steps(self.keys, share=share, axis_name=DEVICE_AXIS)
    train_fn = self.devices.train_fn(steps)
    if not self.config.stream_images:
      return train_fn
    return stream_training(
      train_fn,
      self.devices.replicate,
      batch_size=self.config.batch_size,
      steps_per_epoch=self.steps_per_epoch,
    )

  def evaluate(
    self,
    variables: Any,
    split: Split,
    on_batch: Callable[[int], None] = lambda count: None,
  ) -> Results:
    """Evaluates every example of a split.

    Args:
      variables: the model's variables, on every device.
      split: a split of the data set.
      on_batch: called with the number of examples dispatched so far.
    """
    size = self.examples.test_size(len(split))
    # Padded examples do not count, so any multiple of the devices will do.
    batch_size = self.devices.multiple(self.config.batch_size)
    return evaluate(
      self._eval_fn,
      variables,
      self.data_of(split),
      size=size,
      batch_size=batch_size,
      num_classes=self.dataset.num_classes,
      batches_per_call=self.devices.batches_per_call(-(-size // batch_size)),
      on_batch=on_batch,
    ).compute()

  @functools.cached_property
  def _eval_fn(self) -> EvaluateFn:
    eval_fn = self.devices.eval_fn(
      create_eval_step(self.model.apply, self.objective, self.examples)
    )
    if not self.config.stream_images:
      return eval_fn
    return stream_evaluation(eval_fn, self.devices.replicate)

  def diagnose(self, variables: Any) -> dict[str, float]:
    """Measures capsules and gradient norms on the first training images.

    Args:
      variables: the model's variables, on every device.

    Returns:
      Numbers by name: 'capsules/LAYER/STATISTIC', as `capsule_statistics`
      returns them, and 'gradient_norm/PART'.
    """
    # A training step has memory for this many.
    count = min(self.config.batch_size, len(self.dataset.train))
    data, positions = self.data_of(self.dataset.train), np.arange(count)
    if self.config.stream_images:
      data, positions = window(data, positions)
    return {
      name: float(number)
      for name, number in jax.device_get(
        self._diagnose_fn(variables, data, positions)
      ).items()
    }

  @functools.cached_property
  def _diagnose_fn(self) -> Callable[..., dict[str, jax.Array]]:
    @jax.jit
    def diagnose(variables, data, positions):
      batch = self.examples.test_batch(data, positions)
      statistics = capsule_statistics(batch.images, variables, model=self.model)
      norms = gradient_norms(
        variables, batch, apply_fn=self.model.apply, objective=self.objective
      )
      return {f'capsules/{name}': n for name, n in statistics.items()} | {
        f'gradient_norm/{name}': n for name, n in norms.items()
      }

    return diagnose

  def scalars(self, split: str, results: Results) -> dict[str, float]:
    """Returns results as numbers by name, such as 'test/margin_loss'."""
    numbers = {
      'accuracy': results.accuracy,
      'loss': results.loss,
      classification_loss_name(self.config): results.classification_loss,
      'reconstruction_loss': results.reconstruction_loss,
    }
    return {f'{split}/{name}': number for name, number in numbers.items()}


def check_before_reading(config: Config) -> None:
  """Checks a configuration as far as possible without its images.

  Reading them may take a long download.

  Raises:
    UserError: if a value of the configuration is invalid.
  """
  known = outline(config.dataset)
  if known is not None:
    Experiment.create(config, choose_images(known, config)).state_template()


def count_parameters(params: Any) -> int:
  """Returns the number of parameters in a pytree."""
  return sum(leaf.size for leaf in jax.tree.leaves(params))
