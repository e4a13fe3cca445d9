"""The training state, which is all that a checkpoint holds."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from flax import struct
from jaxtyping import Array, Key


@struct.dataclass
class TrainState:
  """Everything that changes during training.

  Attributes:
    step: number of steps taken, an int32 scalar. The PRNG keys of the next step
      are folded from it and the run's keys, so the state holds no key.
    params: the model's parameters.
    opt_state: the optimiser's state.
    statistics: the model's other collections of variables, such as the running
      statistics of a batch normalisation: a dictionary, empty for a model that
      has none.
  """

  step: Any
  params: Any
  opt_state: Any
  statistics: Any = struct.field(default_factory=dict)

  def to_tree(self) -> dict[str, Any]:
    """Returns the fields by name, without statistics if there are none."""
    tree = {
      'step': self.step,
      'params': self.params,
      'opt_state': self.opt_state,
    }
    # Checkpoints of older runs have no place for them, not even an empty one.
    return tree | ({'statistics': self.statistics} if self.statistics else {})

  @property
  def variables(self) -> dict[str, Any]:
    """The model's variables, as for `model.apply`."""
    return {'params': self.params, **self.statistics}


@struct.dataclass
class RunKeys:
  """The PRNG keys of a run, one per source of randomness.

  Attributes:
    init: key for the initial parameters.
    order: key for the order of the examples.
    augmentation: key for augmenting and pairing training images.
    dropout: key for dropout.
  """

  init: Any
  order: Any
  augmentation: Any
  dropout: Any

  @classmethod
  def create(cls, seed: int) -> 'RunKeys':
    """Creates all keys of a run from its seed."""
    return cls(*jax.random.split(jax.random.key(seed), 4))


def create_state(
  model: nn.Module,
  optimizer: optax.GradientTransformation,
  key: Key[Array, ''],
  *,
  image_shape: tuple[int, int, int],
) -> TrainState:
  """Returns the state before the first step.

  Args:
    model: the model.
    optimizer: the optimiser.
    key: PRNG key for the initial parameters.
    image_shape: height, width and channels of the images.

  Returns:
    The state, on the default device.
  """

  @jax.jit
  def create(key):
    variables = dict(model.init(key, jnp.zeros((1, *image_shape))))
    params = variables.pop('params')
    return TrainState(
      jnp.zeros((), jnp.int32), params, optimizer.init(params), variables
    )

  return create(key)
