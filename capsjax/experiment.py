"""From a configuration to the parts of a run."""

import dataclasses
import functools
import operator
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Float, Integer, UInt8
from ml_collections import ConfigDict

from capsjax.data import Dataset, load_dataset, scale_images
from capsjax.errors import UserError, one_line
from capsjax.evaluation import (
  EvaluateFn,
  Objective,
  Results,
  capsule_losses,
  create_eval_step,
  cross_entropy_losses,
)
from capsjax.models import ModelOutput, create_model
from capsjax.ops import mask_capsules
from capsjax.training.optimizer import create_optimizer, create_schedule
from capsjax.training.parallel import Devices, TrainFn
from capsjax.training.pipeline import DeviceData, create_make_batch
from capsjax.training.state import RunKeys, TrainState, create_state
from capsjax.training.step import create_train_step

# What each model is trained for, and the name of its classification loss.
_OBJECTIVES = {
  'capsnet': (capsule_losses, 'margin_loss'),
  'baseline': (cross_entropy_losses, 'cross_entropy'),
}


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything that a configuration describes, ready to train or evaluate.

  Attributes:
    config: the configuration.
    dataset: the images.
    devices: what computes.
    model: the network.
    objective: what it is trained for.
    optimizer: how.
    schedule: the learning rate by step.
    keys: all randomness.
  """

  config: ConfigDict
  dataset: Dataset
  devices: Devices
  model: nn.Module
  objective: Objective
  optimizer: optax.GradientTransformation
  schedule: optax.Schedule
  keys: RunKeys

  @classmethod
  def create(
    cls, config: ConfigDict, dataset: Dataset | None = None
  ) -> 'Experiment':
    """Builds all parts.

    Args:
      config: the configuration.
      dataset: replaces the data set that the configuration names.

    Raises:
      UserError: if a value of the configuration does not make sense, or the
        data are not there.
    """
    devices = Devices(limit=config.num_devices)
    devices.share(config.batch_size)
    if dataset is None:
      dataset = load_dataset(
        config.dataset,
        data_dir=config.data_dir or None,
        validation_size=config.validation_size,
        seed=config.seed,
      )
    steps_per_epoch = len(dataset.train) // config.batch_size
    if not steps_per_epoch:
      raise UserError(
        f'batch_size={config.batch_size} is larger than the training set of '
        f'{len(dataset.train)} images'
      )
    model = create_model(
      config.model_name, num_classes=dataset.num_classes, **config.model
    )
    try:
      schedule = create_schedule(
        steps_per_epoch=steps_per_epoch, **config.optimizer
      )
    except TypeError as error:
      raise UserError(f'config.optimizer: {error}') from error
    return cls(
      config=config,
      dataset=dataset,
      devices=devices,
      model=model,
      objective=functools.partial(
        _OBJECTIVES[config.model_name][0], **config.loss
      ),
      optimizer=create_optimizer(schedule),
      schedule=schedule,
      keys=RunKeys.create(config.seed),
    )

  @property
  def steps_per_epoch(self) -> int:
    """Steps of an epoch; what is left of the images waits for the next."""
    return len(self.dataset.train) // self.config.batch_size

  def create_state(self) -> TrainState:
    """The state before the first step."""
    return create_state(
      self.model,
      self.optimizer,
      self.keys.init,
      image_shape=self.dataset.image_shape,
    )

  def state_template(self) -> TrainState:
    """Shapes and types of the state, for restoring.

    Raises:
      UserError: if the model cannot be built for the images.
    """
    try:
      return jax.eval_shape(self.create_state)
    except (ArithmeticError, TypeError, ValueError) as error:
      shape = 'x'.join(map(str, self.dataset.image_shape))
      raise UserError(
        f'config.model does not fit images of {shape}: {one_line(error)}'
      ) from error

  def device_data(self) -> DeviceData:
    """The training set, on every device."""
    train = self.dataset.train
    return self.devices.replicate(DeviceData(train.images, train.labels))

  def train_fn(self, *, single_step: bool) -> TrainFn:
    """The compiled training function."""
    train_step = create_train_step(
      self.model.apply,
      self.objective,
      self.optimizer,
      dropout_key=self.keys.dropout,
      num_labels=1,
    )
    make_batch = create_make_batch(
      num_classes=self.dataset.num_classes,
      max_shift=self.config.max_shift,
      augmentation_key=self.keys.augmentation,
    )
    return self.devices.train_fn(
      train_step,
      make_batch,
      batch_size=self.config.batch_size,
      steps_per_epoch=self.steps_per_epoch,
      num_classes=self.dataset.num_classes,
      single_step=single_step,
    )

  def eval_fn(self) -> EvaluateFn:
    """The compiled eval function."""
    return self.devices.eval_fn(
      create_eval_step(
        self.model.apply,
        self.objective,
        num_classes=self.dataset.num_classes,
        num_labels=1,
      )
    )

  def scalars(self, split: str, results: Results) -> dict[str, float]:
    """Results as single numbers by name, such as 'test/margin_loss'."""
    numbers = {
      'accuracy': results.accuracy,
      'loss': results.loss,
      _OBJECTIVES[self.config.model_name][1]: results.classification_loss,
      'reconstruction_loss': results.reconstruction_loss,
    }
    return {f'{split}/{name}': number for name, number in numbers.items()}

  def apply(
    self, params: Any, images: UInt8[np.ndarray, 'n h w c']
  ) -> ModelOutput:
    """What the model makes of images, as NumPy arrays.

    Args:
      params: its parameters.
      images: as a data set has them.
    """
    outputs = list(self.apply_in_batches(params, images))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)

  def apply_in_batches(
    self, params: Any, images: UInt8[np.ndarray, 'n h w c']
  ) -> Iterator[ModelOutput]:
    """`apply` to one batch of images after another, all in one program."""
    size = self.config.batch_size
    for start in range(0, len(images), size):
      batch = images[start : start + size]
      missing = [(0, size - len(batch))] + [(0, 0)] * 3
      output = jax.device_get(self._apply(params, np.pad(batch, missing)))
      yield jax.tree.map(operator.itemgetter(slice(len(batch))), output)

  def decode(
    self,
    params: Any,
    capsules: Float[np.ndarray, 'n num_classes dim'],
    labels: Integer[np.ndarray, ' n'],
  ) -> Float[np.ndarray, 'n h w c']:
    """Reconstructs from one class capsule of each image.

    Args:
      params: the parameters of a model with a decoder.
      capsules: the class capsules.
      labels: the class whose capsule is decoded.
    """
    images = self._decode(params['decoder'], capsules, labels)
    return np.asarray(images, np.float32)

  @functools.cached_property
  def _apply(self):
    @jax.jit
    def apply(params, images):
      return self.model.apply({'params': params}, scale_images(images))

    return apply

  @functools.cached_property
  def _decode(self):
    decoder = self.model.decoder(self.dataset.image_shape)

    @jax.jit
    def decode(params, capsules, labels):
      targets = jax.nn.one_hot(labels, capsules.shape[1], dtype=capsules.dtype)
      masked = mask_capsules(capsules, targets)
      return decoder.apply({'params': params}, masked)

    return decode


def count_parameters(params: Any) -> int:
  """The number of parameters in a pytree."""
  return sum(leaf.size for leaf in jax.tree.leaves(params))
