"""Streams images from host memory, for data sets too large for a device.

The compiled functions are the same as for a data set on the device. Each call
receives only the images of its own steps, and their indices among these.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from capsjax.examples import DeviceData
from capsjax.training.evaluation import EvaluateFn
from capsjax.training.metrics import Metrics
from capsjax.training.parallel import TrainFn
from capsjax.training.state import TrainState

# Puts a pytree of arrays on the devices.
_Put = Callable[[Any], Any]


def window(
  data: DeviceData, numbers: Int[np.ndarray, ' n']
) -> tuple[DeviceData, Int[np.ndarray, ' n']]:
  """Extracts some examples of a split.

  Args:
    data: the split, in host memory.
    numbers: the indices of the examples.

  Returns:
    The examples in this order, and their indices in the result.
  """
  taken = DeviceData(data.images[numbers], data.labels[numbers])
  return taken, np.arange(len(numbers), dtype=np.int32)


def stream_training(
  train_fn: TrainFn,
  put: _Put,
  *,
  batch_size: int,
  steps_per_epoch: int,
) -> TrainFn:
  """Creates a training function for a split in host memory.

  Args:
    train_fn: trains on a split on the devices.
    put: puts arrays on the devices.
    batch_size: number of examples per batch on all devices together.
    steps_per_epoch: number of steps per epoch.

  Returns:
    The function, which gives the same results as `train_fn`.
  """
  # The state that the last call returned, and its step. Reading the step from
  # the device would block, and delay preparing the next call.
  last: tuple[TrainState | None, int] = (None, 0)

  def train(
    state: TrainState, data: DeviceData, permutation: jax.Array, num_steps: int
  ) -> tuple[TrainState, Metrics]:
    nonlocal last
    step = last[1] if state is last[0] else int(state.step)
    start = step % steps_per_epoch * batch_size
    count = num_steps * batch_size
    taken, numbers = window(
      data, np.asarray(permutation)[start : start + count]
    )
    order = np.zeros(len(permutation), np.int32)
    order[start : start + count] = numbers
    state, metrics = train_fn(state, put(taken), put(order), num_steps)
    last = (state, step + num_steps)
    return state, metrics

  return train


def stream_evaluation(evaluate_fn: EvaluateFn, put: _Put) -> EvaluateFn:
  """Creates an evaluation function for a split in host memory.

  Args:
    evaluate_fn: evaluates on a split on the devices.
    put: puts arrays on the devices.

  Returns:
    The function, which gives the same results as `evaluate_fn`.
  """

  def evaluate(variables, data, indices, weights, metrics):
    taken, numbers = window(data, indices.ravel())
    numbers = numbers.reshape(indices.shape)
    return evaluate_fn(variables, put(taken), numbers, weights, metrics)

  return evaluate
