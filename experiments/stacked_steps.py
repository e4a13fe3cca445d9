"""Training steps of several seeds in one call, on one device.

In a stacked state, all arrays have a leading axis of seeds, except the step,
which the seeds share.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from capsjax.runs import Experiment
from capsjax.training import DEVICE_AXIS, RunKeys, TrainFn, TrainState

_AXES = TrainState(None, 0, 0, 0)


def stack_states(states: Sequence[TrainState]) -> TrainState:
  """Stacks states that are at the same step, on the default device."""
  stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
  return jax.device_put(
    TrainState(
      states[0].step, stacked.params, stacked.opt_state, stacked.statistics
    )
  )


def stack_keys(seeds: Sequence[int]) -> RunKeys:
  """Creates the keys of these seeds, with a leading axis of seeds."""
  keys = [RunKeys.create(seed) for seed in seeds]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *keys)


def part_of(tree: Any, i: int) -> Any:
  """Returns seed `i` of a pytree whose arrays have a leading axis of seeds."""
  return jax.tree.map(lambda leaf: leaf[i], tree)


def state_of(state: TrainState, i: int) -> TrainState:
  """Returns the state of seed `i`, as in a single run."""
  return TrainState(
    state.step,
    part_of(state.params, i),
    part_of(state.opt_state, i),
    part_of(state.statistics, i),
  )


def create_train_fn(experiment: Experiment, keys: RunKeys) -> TrainFn:
  """Compiles a function that takes steps of all seeds, on one device.

  Args:
    experiment: the experiment to train; its own keys are not used.
    keys: the keys of the seeds, stacked.

  Returns:
    `train(state, data, permutations, num_steps)`, which takes `num_steps` more
    steps of an epoch. It consumes the stacked state and returns the new one,
    with a list of the metrics of each seed.
  """
  batch_size, num_seeds = experiment.config.batch_size, len(keys.order)

  def train_one(num_steps, keys, state, data, permutation):
    steps = experiment.steps(keys, share=batch_size, axis_name=DEVICE_AXIS)
    return steps(state, data, permutation, 0, num_steps)

  @partial(jax.jit, donate_argnums=0, static_argnums=3)
  def train_all(state, data, permutations, num_steps):
    train = partial(train_one, num_steps)
    # An axis of one device, as in a single run, because dropout depends on the
    # device's number. A mesh axis would work too, but JAX 0.7.2 cannot vmap
    # gradients of convolutions over one.
    train = jax.vmap(train, None, None, axis_name=DEVICE_AXIS, axis_size=1)
    train = jax.vmap(train, (0, _AXES, None, 0), (_AXES, 0))
    state, metrics = train(keys, state, data, permutations)
    return state, [part_of(metrics, i) for i in range(num_seeds)]

  return train_all
