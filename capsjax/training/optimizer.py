"""Adam and the learning-rate schedules: the paper's and its clones'."""

from collections.abc import Sequence

import jax.numpy as jnp
import optax

from capsjax.errors import UserError

SCHEDULES = ('exponential', 'per_epoch', 'milestones', 'constant')


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
  if schedule == 'exponential':
    return optax.exponential_decay(
      learning_rate, decay_steps, decay_rate, end_value=min_learning_rate
    )
  if schedule == 'per_epoch':
    return optax.exponential_decay(
      learning_rate,
      steps_per_epoch,
      decay_rate,
      staircase=True,
      end_value=min_learning_rate,
    )
  if schedule == 'milestones':
    steps = {round(epoch * steps_per_epoch): decay_rate for epoch in milestones}
    falling = optax.piecewise_constant_schedule(learning_rate, steps)
    return lambda step: jnp.maximum(falling(step), min_learning_rate)
  if schedule == 'constant':
    return optax.constant_schedule(learning_rate)
  raise UserError(
    f'unknown optimizer.schedule {schedule!r}; choose {", ".join(SCHEDULES)}'
  )


def create_optimizer(schedule: optax.Schedule) -> optax.GradientTransformation:
  """Adam with TensorFlow's defaults, as in the paper (section 4)."""
  return optax.adam(schedule, b1=0.9, b2=0.999, eps=1e-8)
