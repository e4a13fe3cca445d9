"""The training loop, with evaluations, checkpoints and a clean stop."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key

from capsjax.errors import UserError
from capsjax.examples import DeviceData, epoch_permutation
from capsjax.training.parallel import TrainFn
from capsjax.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class Plan:
  """The length of a run, and how often it evaluates and saves.

  Attributes:
    num_steps: number of steps in the whole run.
    steps_per_epoch: number of steps per epoch.
    steps_per_call: maximum number of steps per compiled call.
    eval_every_steps: number of steps between evaluations; the run also ends
      with one.
    checkpoint_every_seconds: seconds between checkpoints; the run also ends
      with one, however it ends.
    checkpoint_every_steps: number of steps between additional checkpoints, at
      the ends of epochs; 0 for none.
    stop_at: ends the run early when an evaluation reaches this value.
  """

  num_steps: int
  steps_per_epoch: int
  steps_per_call: int
  eval_every_steps: int
  checkpoint_every_seconds: float
  checkpoint_every_steps: int = 0
  stop_at: float | None = None

  def steps_from(self, step: int) -> int:
    """Returns the number of steps in the call that follows `step` steps.

    A call never runs past the end of an epoch, an evaluation or the end of the
    run.
    """
    return min(
      self.steps_per_call,
      self.steps_per_epoch - step % self.steps_per_epoch,
      self.eval_every_steps - step % self.eval_every_steps,
      self.num_steps - step,
    )

  def evaluates_after(self, step: int) -> bool:
    """Returns whether to evaluate after `step` steps."""
    return step % self.eval_every_steps == 0 or step == self.num_steps

  def saves_after(self, step: int) -> bool:
    """Returns whether to save after `step` steps, regardless of the time."""
    every = self.checkpoint_every_steps
    return every > 0 and step % every == 0

  def is_over(self, step: int, best: float | None) -> bool:
    """Returns whether the run ends after `step` steps with this best score."""
    if step >= self.num_steps:
      return True
    if best is None or self.stop_at is None:
      return False
    return best >= self.stop_at


@runtime_checkable
class ReportsMetrics(Protocol):
  """Receives the metrics of the calls in `fit`, such as a `Reporter`."""

  def add(self, step: int, metrics: Any) -> None:
    """Adds the metrics of the steps up to `step`, which may be pending."""

  def flush(self) -> None:
    """Waits for all metrics that were added."""

  def finish(self) -> None:
    """Waits like `flush`, then writes the remaining metrics."""


@runtime_checkable
class SavesStates(Protocol):
  """Saves the states that `fit` passes to it, such as a `Checkpointer`."""

  def save_latest(self, step: int, state: TrainState) -> None:
    """Saves the state after `step` steps."""

  def save_best(self, step: int, state: TrainState, *, metric: float) -> None:
    """Saves a state whose evaluation is the best so far."""

  def wait(self) -> None:
    """Waits until everything is on disk."""


@runtime_checkable
class Agree(Protocol):
  """Combines flags over all processes, such as `Devices.agree`."""

  def __call__(
    self, flags: Callable[[], tuple[bool, ...]]
  ) -> Callable[[], tuple[bool, ...]]:
    """Asks all processes; returns a function that waits for the answer."""


def fit(
  state: TrainState,
  *,
  plan: Plan,
  train_fn: TrainFn,
  data: DeviceData,
  order_key: Key[Array, '*seeds'],
  evaluate: Callable[[int, Any], float | None],
  best: float | None,
  checkpointer: SavesStates,
  reporter: ReportsMetrics,
  is_stopped: Callable[[], bool],
  agree: Agree,
) -> TrainState:
  """Trains from `state` to the end of the plan, or until asked to stop.

  Args:
    state: the initial state, on every device; its buffers are donated.
    plan: the length of the run and the intervals of evaluations and
      checkpoints.
    train_fn: takes training steps.
    data: the training split, on every device.
    order_key: the run's key for the order of the examples, or an array of keys
      of several runs that `train_fn` trains at once, given one permutation
      each.
    evaluate: called as `evaluate(step, variables)`; returns the score that
      selects the best state, higher is better, or None to select none.
    best: the best score so far, if any.
    checkpointer: saves states.
    reporter: shows and writes metrics.
    is_stopped: called between calls of `train_fn`; returns whether to stop.
    agree: `Devices.agree`. Saving is a collective operation, so the processes
      of a run decide together when to save and when to stop. They act on the
      answer one call after they ask, so that no call waits for it.

  Returns:
    The final state, which has been saved.

  Raises:
    UserError: the loss or a parameter is not finite; such a state is not
      saved.
  """
  step = int(state.step)
  saved_step, saved_at = step, time.monotonic()
  permutation, permuted_epoch = jnp.zeros(0, jnp.int32), -1

  def save():
    nonlocal saved_step, saved_at
    reporter.flush()
    _require_finite(step, state)
    checkpointer.save_latest(step, state)
    saved_step, saved_at = step, time.monotonic()

  def flags():
    elapsed = time.monotonic() - saved_at
    return is_stopped(), elapsed >= plan.checkpoint_every_seconds

  answer = agree(flags)
  # A resumed run may already have reached `stop_at`.
  while not plan.is_over(step, best):
    stop, is_due = answer()
    if is_due and step != saved_step:
      save()
    if stop:
      break
    answer = agree(flags)
    epoch = step // plan.steps_per_epoch
    if epoch != permuted_epoch:
      permutation = _permutations(order_key, epoch, len(data.labels))
      permuted_epoch = epoch
    count = plan.steps_from(step)
    state, metrics = train_fn(state, data, permutation, count)
    step += count
    reporter.add(step, metrics)
    if plan.evaluates_after(step):
      reporter.flush()
      score = evaluate(step, state.variables)
      if score is not None and (best is None or score > best):
        _require_finite(step, state)
        checkpointer.save_best(step, state, metric=score)
        best = score
    if plan.saves_after(step):
      save()
  if step != saved_step:
    save()
  reporter.finish()
  checkpointer.wait()
  return state


_permutations = jnp.vectorize(
  epoch_permutation, excluded=(1, 2), signature='()->(n)'
)


@jax.jit
def _is_finite(tree):
  return jnp.all(
    jnp.stack([jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(tree)])
  )


def _require_finite(step: int, state: TrainState) -> None:
  if not _is_finite(state):
    raise UserError(
      f'a parameter is not finite after step {step}; earlier checkpoints are '
      'kept: train again with a smaller '
      '--config.optimizer.learning_rate in another --workdir'
    )
