"""The training loop: calls, evaluations, checkpoints, and a clean end."""

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
  """How long a run is and how often something happens in it.

  Attributes:
    num_steps: the number of steps of the whole run.
    steps_per_epoch: the number of steps of an epoch.
    steps_per_call: at most so many steps are taken without the host.
    eval_every_steps: steps between evaluations; there is one at the end too.
    checkpoint_every_seconds: seconds between checkpoints; there is one at the
      end too, however the run ends.
    checkpoint_every_steps: there is one after such a number of steps too, at
      the end of an epoch; none if 0.
    stop_at: the run ends early when an evaluation gives such a number.
  """

  num_steps: int
  steps_per_epoch: int
  steps_per_call: int
  eval_every_steps: int
  checkpoint_every_seconds: float
  checkpoint_every_steps: int = 0
  stop_at: float | None = None

  def steps_from(self, step: int) -> int:
    """How many steps the call after `step` steps takes.

    It ends with an epoch, with an evaluation, or with the run.
    """
    return min(
      self.steps_per_call,
      self.steps_per_epoch - step % self.steps_per_epoch,
      self.eval_every_steps - step % self.eval_every_steps,
      self.num_steps - step,
    )

  def evaluates_after(self, step: int) -> bool:
    """Whether there is an evaluation after `step` steps."""
    return step % self.eval_every_steps == 0 or step == self.num_steps

  def saves_after(self, step: int) -> bool:
    """Whether there is a checkpoint after `step` steps, whatever the time."""
    every = self.checkpoint_every_steps
    return every > 0 and step % every == 0

  def is_over(self, step: int, best: float | None) -> bool:
    """Whether the run ends after `step` steps, with such a best evaluation."""
    if step >= self.num_steps:
      return True
    if best is None or self.stop_at is None:
      return False
    return best >= self.stop_at


@runtime_checkable
class ReportsMetrics(Protocol):
  """What `fit` gives the metrics of its calls to, such as a `Reporter`."""

  def add(self, step: int, metrics: Any) -> None:
    """Takes the metrics of the steps up to `step`, not yet computed."""

  def flush(self) -> None:
    """Waits for everything that was added."""

  def finish(self) -> None:
    """Waits as `flush` does, and writes what is left."""


@runtime_checkable
class SavesStates(Protocol):
  """What `fit` gives states to, such as a `Checkpointer`."""

  def save_latest(self, step: int, state: TrainState) -> None:
    """Saves the state after `step` steps."""

  def save_best(self, step: int, state: TrainState, *, metric: float) -> None:
    """Saves a state that was evaluated as better than all before."""

  def wait(self) -> None:
    """Returns once everything is on disk."""


@runtime_checkable
class Agree(Protocol):
  """Such as `Devices.agree`."""

  def __call__(
    self, flags: Callable[[], tuple[bool, ...]]
  ) -> Callable[[], tuple[bool, ...]]:
    """Asks all processes for flags; the answer is read later."""


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
    state: where to start from, on every device; it is consumed.
    plan: how long and how often.
    train_fn: takes steps.
    data: the training set, on every device.
    order_key: the run's key for the order of the examples, or those of several
      that `train_fn` trains at once, whose permutations it is then given.
    evaluate: called as `evaluate(step, params)`; returns the number by which
      the best state is chosen, higher is better, or None for no choice.
    best: the best such number so far, if any.
    checkpointer: saves states.
    reporter: shows and writes metrics.
    is_stopped: asked after every call whether to leave.
    agree: `Devices.agree`. Saving is a collective operation, so the processes
      of a run decide together when to save and when to leave. They act on the
      answer one call after they ask, so that no call waits for it.

  Returns:
    The last state, which has been saved.

  Raises:
    UserError: if the loss or a parameter is not finite; nothing of that is
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
  # The best of a continued run is known: it may have come to its end.
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
      score = evaluate(step, state.params)
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
      f'a parameter is not finite after step {step}; the checkpoints up to '
      'there are kept: train anew with a smaller '
      '--config.optimizer.learning_rate in another --workdir'
    )
