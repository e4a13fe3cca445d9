"""Images that stay in the host's memory: for sets that no device can hold.

The compiled functions are the same as for a set on the device. They are given
the images of their own steps only, and the numbers of these among them.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from capsjax.data.examples import DeviceData
from capsjax.evaluation import EvaluateFn, Metrics
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
  steps_per_call: int,
) -> TrainFn:
  """Makes a training function that takes a split in the host's memory.

  Args:
    train_fn: takes one on the device.
    put: puts arrays on the devices.
    batch_size: of all devices together.
    steps_per_epoch: the number of steps of an epoch.
    steps_per_call: calls take at most so many.

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
    wanted = np.asarray(permutation)[start : start + count]
    # Padded, so that all calls have one shape, and one compilation serves them.
    padding = (0, steps_per_call * batch_size - count)
    taken, numbers = window(data, np.pad(wanted, padding))
    order = np.zeros(len(permutation), np.int32)
    order[start : start + count] = numbers[:count]
    state, metrics = train_fn(state, put(taken), put(order), num_steps)
    last = (state, step + num_steps)
    return state, metrics

  return train


def stream_evaluation(evaluate_fn: EvaluateFn, put: _Put) -> EvaluateFn:
  """Makes an eval step that takes a split in the host's memory.

  Args:
    evaluate_fn: takes one on the device.
    put: puts arrays on the devices.

  Returns:
    The eval step, which gives the same results.
  """

  def evaluate_batch(params, data, indices, weights):
    taken, numbers = window(data, indices)
    return evaluate_fn(params, put(taken), numbers, weights)

  return evaluate_batch
