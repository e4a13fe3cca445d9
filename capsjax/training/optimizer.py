"""Adam and learning-rate schedules of the paper and other implementations."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax

from capsjax.errors import UserError

SCHEDULES = ('exponential', 'per_epoch', 'milestones', 'constant')

_B1 = 0.9
_B2 = 0.999
_EPSILON = 1e-8


def create_schedule(
  *,
  schedule: str,
  learning_rate: float,
  decay_rate: float,
  decay_steps: int,
  milestones: Sequence[int | float],
  min_learning_rate: float,
  warmup_steps: int,
  steps_per_epoch: int,
) -> optax.Schedule:
  """Returns the learning rate as a function of the step.

  Args:
    schedule: one of 'exponential' (as in the official code: `learning_rate *
      decay_rate ** (step / decay_steps)`, continuous), 'per_epoch' (multiplied
      by `decay_rate` after each epoch), 'milestones' (multiplied by
      `decay_rate` at each milestone) and 'constant'.
    learning_rate: the rate at step 0, but for the warm-up.
    decay_rate: the factor of each decay.
    decay_steps: number of steps per factor `decay_rate`, for 'exponential'.
    milestones: epochs, for 'milestones'; may be fractions.
    min_learning_rate: lower bound of the rate; ignored by 'constant'.
    warmup_steps: number of steps over which a factor of the rate rises linearly
      to 1. Adam's first steps change every weight by the rate, all weights of a
      unit in the same direction, which can saturate the primary capsules.
    steps_per_epoch: number of steps per epoch.

  Returns:
    An optax schedule.

  Raises:
    UserError: the schedule is unknown.
  """
  if schedule == 'constant':
    rate = optax.constant_schedule(learning_rate)
    min_learning_rate = 0.0
  elif schedule == 'exponential':
    rate = optax.exponential_decay(learning_rate, decay_steps, decay_rate)
  elif schedule == 'per_epoch':
    rate = optax.exponential_decay(
      learning_rate, steps_per_epoch, decay_rate, staircase=True
    )
  elif schedule == 'milestones':
    steps = {round(epoch * steps_per_epoch): decay_rate for epoch in milestones}
    rate = optax.piecewise_constant_schedule(learning_rate, steps)
  else:
    raise UserError(
      f'unknown optimizer.schedule {schedule!r}; choose {", ".join(SCHEDULES)}'
    )

  def warmed_up(step):
    # Optax's `end_value` is an upper bound if decay_rate is 1 or more.
    full_rate = jnp.maximum(rate(step), min_learning_rate)
    if not warmup_steps:
      return full_rate
    taken = jnp.asarray(step, jnp.float32)
    return full_rate * jnp.minimum((taken + 1) / warmup_steps, 1)

  return warmed_up


def create_optimizer(
  schedule: optax.Schedule, *, use_epsilon_hat: bool = False
) -> optax.GradientTransformation:
  """Returns Adam with TensorFlow's defaults, as in the paper (section 4).

  Args:
    schedule: the learning rate.
    use_epsilon_hat: adds epsilon to the root of the second moment before bias
      correction, as TensorFlow does. Where gradients are below 1e-6, this
      shortens the first few hundred steps.

  References:
    Kingma, Ba, "Adam", 2015, Algorithm 1, and the end of section 2 for
    epsilon hat.
  """
  if not use_epsilon_hat:
    return optax.adam(schedule, b1=_B1, b2=_B2, eps=_EPSILON)
  return optax.chain(
    _scale_by_epsilon_hat(), optax.scale_by_learning_rate(schedule)
  )


def _scale_by_epsilon_hat() -> optax.GradientTransformation:
  """Like `optax.scale_by_adam`, with the same state."""
  adam = optax.scale_by_adam(b1=_B1, b2=_B2, eps=_EPSILON)

  def update(gradients, state, params=None):
    _, state = adam.update(gradients, state, params)
    correction = jnp.sqrt(1 - _B2**state.count) / (1 - _B1**state.count)
    steps = jax.tree.map(
      lambda mean, square: correction * mean / (jnp.sqrt(square) + _EPSILON),
      state.mu,
      state.nu,
    )
    return steps, state

  return optax.GradientTransformation(adam.init, update)
