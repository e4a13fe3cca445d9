"""Adam and the learning-rate schedules: the paper's and its clones'."""

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
  steps_per_epoch: int,
) -> optax.Schedule:
  """The learning rate as a function of the step.

  Args:
    schedule: 'exponential', the official code's: `learning_rate * decay_rate **
      (step / decay_steps)`, continuous; 'per_epoch': times `decay_rate` after
      each epoch; 'milestones': times `decay_rate` at each milestone;
      'constant'.
    learning_rate: the rate at step 0.
    decay_rate: the factor.
    decay_steps: the number of steps of one factor, for 'exponential'.
    milestones: epochs, for 'milestones'; fractions of an epoch are allowed.
    min_learning_rate: the rate never falls below it, unless it is constant.
    steps_per_epoch: the number of steps of an epoch.

  Returns:
    An optax schedule.

  Raises:
    UserError: if the schedule is unknown.
  """
  if schedule == 'constant':
    return optax.constant_schedule(learning_rate)
  if schedule == 'exponential':
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
  # Optax's own bound is one from above where decay_rate is 1 or more.
  return lambda step: jnp.maximum(rate(step), min_learning_rate)


def create_optimizer(
  schedule: optax.Schedule, *, use_epsilon_hat: bool = False
) -> optax.GradientTransformation:
  """Adam with TensorFlow's default numbers, as in the paper (section 4).

  Args:
    schedule: the learning rate.
    use_epsilon_hat: takes steps as TensorFlow does, which adds epsilon to the
      root of the second moment before its bias is corrected. Where gradients
      are below 1e-6, the first some hundred steps are shorter then.

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
  """As `optax.scale_by_adam`, whose state it has."""
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
