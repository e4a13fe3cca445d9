"""The state of a run: all that a checkpoint holds."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Key


@struct.dataclass
class TrainState:
  """What changes while training.

  Attributes:
    step: the number of steps taken, an int32 scalar; all randomness of the
      next step is folded from it and the run's keys, so that no key need be
      kept.
    params: the model's parameters.
    opt_state: the optimiser's state.
  """

  step: Any
  params: Any
  opt_state: Any


@struct.dataclass
class RunKeys:
  """The keys of a run, one for each use of chance.

  Attributes:
    init: initial parameters.
    order: the order of the examples.
    augmentation: all that changes or pairs the training images.
    dropout: values dropped.
  """

  init: Any
  order: Any
  augmentation: Any
  dropout: Any

  @classmethod
  def create(cls, seed: int) -> 'RunKeys':
    """All keys of a run from its seed."""
    return cls(*jax.random.split(jax.random.key(seed), 4))


def create_state(
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  key: Key[Array, ''],
  *,
  image_shape: tuple[int, int, int],
) -> TrainState:
  """The state before the first step.

  Args:
    model: the model.
    optimizer: the optimiser.
    key: for the initial parameters.
    image_shape: height, width and channels of the images.

  Returns:
    The state, on the default device.
  """

  @jax.jit
  def create(key):
    params = model.init(key, jnp.zeros((1, *image_shape)))['params']
    return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params))

  return create(key)
