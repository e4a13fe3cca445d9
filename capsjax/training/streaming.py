"""Images that stay in the host's memory: for sets that no device can hold.

The compiled functions are the same as for a set on the device. They are given
the images of their own steps only, and the numbers of these among them.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from capsjax.examples import DeviceData
from capsjax.training.evaluate import EvaluateFn
from capsjax.training.metrics import Metrics
from capsjax.training.parallel import TrainFn
from capsjax.training.state import TrainState

# Puts a pytree of arrays on the devices.
_Put = Callable[[Any], Any]


def window(
  data: DeviceData, numbers: Int[np.ndarray, ' n']
) -> tuple[DeviceData, Int[np.ndarray, ' n']]:
  """Takes some examples out of a split.

  Args:
    data: the split, in the host's memory.
    numbers: which of its examples.

  Returns:
    These examples, in this order, and their numbers there.
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
  """Makes a training function that takes a split in the host's memory.

  Args:
    train_fn: takes one on the device.
    put: puts arrays on the devices.
    batch_size: of all devices together.
    steps_per_epoch: the number of steps of an epoch.

  Returns:
    The function, which gives the same results.
  """
  # The state of the call before and its step: to read that from the device
  # would be to wait for it, and to do nothing for the next call meanwhile.
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
  """Makes an evaluation that takes a split in the host's memory.

  Args:
    evaluate_fn: takes one on the device.
    put: puts arrays on the devices.

  Returns:
    The function, which gives the same results.
  """

  def evaluate(params, data, indices, weights, metrics):
    taken, numbers = window(data, indices.ravel())
    numbers = numbers.reshape(indices.shape)
    return evaluate_fn(params, put(taken), numbers, weights, metrics)

  return evaluate
