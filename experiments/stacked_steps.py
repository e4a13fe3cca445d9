"""Training steps of several seeds in one call, on one device.

In a stacked state all arrays have a leading axis of seeds but the step, which
the seeds share.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from capsjax.runs import Experiment
from capsjax.training import DEVICE_AXIS, RunKeys, TrainFn, TrainState

_AXES = TrainState(None, 0, 0)


def stack_states(states: Sequence[TrainState]) -> TrainState:
  """Makes one of states that are at the same step, on the default device."""
  stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *states)
  return jax.device_put(
    TrainState(states[0].step, stacked.params, stacked.opt_state)
  )


def stack_keys(seeds: Sequence[int]) -> RunKeys:
  """The keys of runs of these seeds, each array with an axis of seeds."""
  keys = [RunKeys.create(seed) for seed in seeds]
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *keys)


def part_of(tree: Any, i: int) -> Any:
  """What one of the seeds has of a pytree whose arrays have an axis of them."""
  return jax.tree.map(lambda leaf: leaf[i], tree)


def state_of(state: TrainState, i: int) -> TrainState:
  """The state of one of the seeds, as it is alone."""
  return TrainState(
    state.step, part_of(state.params, i), part_of(state.opt_state, i)
  )


def create_train_fn(experiment: Experiment, keys: RunKeys) -> TrainFn:
  """Compiles a function that takes steps of all seeds, on one device.

  Args:
    experiment: what is trained; its own keys are not used.
    keys: those of the seeds, stacked.

  Returns:
    `train(state, data, permutations, num_steps)`: the stacked state, which it
    consumes, after `num_steps` more steps of an epoch, and a list of metrics,
    those of each seed.
  """
  batch_size, num_seeds = experiment.config.batch_size, len(keys.order)

  def train_one(num_steps, keys, state, data, permutation):
    steps = experiment.steps(keys, share=batch_size, axis_name=DEVICE_AXIS)
    return steps(state, data, permutation, 0, num_steps)

  @partial(jax.jit, donate_argnums=0, static_argnums=3)
  def train_all(state, data, permutations, num_steps):
    train = partial(train_one, num_steps)
    # Of one device, as alone: what is dropped depends on its number. An axis of
    # a mesh would do too, but JAX 0.7.2 cannot vmap gradients of convolutions
    # then.
    train = jax.vmap(train, None, None, axis_name=DEVICE_AXIS, axis_size=1)
    train = jax.vmap(train, (0, _AXES, None, 0), (_AXES, 0))
    state, metrics = train(keys, state, data, permutations)
    return state, [part_of(metrics, i) for i in range(num_seeds)]

  return train_all
