"""Inference on chosen test examples, for commands that draw or predict."""

import functools
import operator
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Float, Integer

from capsjax.models import ModelOutput
from capsjax.ops import mask_capsules
from capsjax.runs.experiment import Experiment
from capsjax.training import padded_batches, window


class Inference:
  """Applies a model to test examples, and decodes capsules.

  All results are NumPy arrays.

  Args:
    experiment: the experiment that has the test set and the model.
  """

  def __init__(self, experiment: Experiment) -> None:
    self._experiment = experiment

  def examples(self, positions: Integer[np.ndarray, ' n']) -> Any:
    """Returns the test examples at the given positions, as model input."""
    return jax.device_get(self._examples(*self._window(positions)))

  def apply(
    self, variables: Any, positions: Integer[np.ndarray, ' n']
  ) -> ModelOutput:
    """Applies the model to the test examples at the given positions."""
    outputs = []
    size = self._experiment.config.batch_size
    for places, weights in padded_batches(len(positions), size):
      output, _ = self._apply(variables, *self._window(positions[places]))
      outputs.append(first(jax.device_get(output), int(weights.sum())))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *outputs)

  def apply_in_batches(
    self, variables: Any
  ) -> Iterator[tuple[ModelOutput, Float[np.ndarray, 'batch num_classes']]]:
    """Yields the model's outputs for all test examples, with their targets."""
    size = self._experiment.config.batch_size
    for places, weights in padded_batches(self._experiment.test_size, size):
      found = jax.device_get(self._apply(variables, *self._window(places)))
      yield first(found, int(weights.sum()))

  def decode(
    self,
    params: Any,
    capsules: Float[np.ndarray, 'n num_classes dim'],
    labels: Integer[np.ndarray, ' n'],
  ) -> Float[np.ndarray, 'n h w c']:
    """Reconstructs each image from one of its class capsules.

    Args:
      params: the parameters of a model with a decoder.
      capsules: the class capsules.
      labels: the class whose capsule is decoded, per image.
    """
    images = self._decode(params['decoder'], capsules, labels)
    return np.asarray(images, np.float32)

  def _window(self, positions):
    """Returns data that hold the given examples, and their positions there."""
    data = self._experiment.data_of(self._experiment.dataset.test)
    if self._experiment.config.stream_images:
      return window(data, positions)
    return data, positions

  @functools.cached_property
  def _examples(self):
    return jax.jit(self._experiment.examples.test_batch)

  @functools.cached_property
  def _apply(self):
    experiment = self._experiment

    @jax.jit
    def apply(variables, data, positions):
      batch = experiment.examples.test_batch(data, positions)
      output = experiment.model.apply(variables, batch.images)
      return output, batch.targets

    return apply

  @functools.cached_property
  def _decode(self):
    experiment = self._experiment
    decoder = experiment.model.create_decoder(experiment.image_shape)

    @jax.jit
    def decode(params, capsules, labels):
      targets = jax.nn.one_hot(labels, capsules.shape[1], dtype=capsules.dtype)
      masked = mask_capsules(capsules, targets)
      return decoder.apply({'params': params}, masked)

    return decode


def first(arrays: Any, count: int) -> Any:
  """Drops the padding behind the first `count` examples."""
  return jax.tree.map(operator.itemgetter(slice(count)), arrays)
