"""Reports, evaluates and saves seeds that are trained at once.

`capsjax.training.loop.fit` trains their stacked state like any other. The parts
passed to it here do for each seed what they would do for a single run.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import jax

from capsjax.errors import UserError
from capsjax.runs import (
  Checkpointer,
  Experiment,
  Monitor,
  RunFolder,
  create_plan,
  open_writers,
  training_scalars,
)
from capsjax.training import Progress, Reporter, TrainState
from experiments.stacked_steps import part_of, state_of


@dataclasses.dataclass(frozen=True)
class Start:
  """Where one seed starts from.

  Attributes:
    seed: the seed.
    folder: the folder of its run.
    state: the training state, on the host.
    best: its best score so far, if any.
  """

  seed: int
  folder: RunFolder
  state: TrainState
  best: float | None

  @property
  def step(self) -> int:
    """The number of steps taken."""
    return int(self.state.step)


@dataclasses.dataclass(frozen=True)
class Member:
  """The reporter, monitor and checkpointer of one seed."""

  seed: int
  reporter: Reporter
  monitor: Monitor
  checkpointer: Checkpointer


def open_member(
  experiment: Experiment,
  start: Start,
  progress: Progress,
  stack: ExitStack,
  *,
  is_shown: bool,
) -> Member:
  """Opens the parts that report, evaluate and save a seed, as for one alone.

  Args:
    experiment: the experiment to train.
    start: where the seed starts from.
    progress: the progress display of all seeds.
    stack: closes what is opened.
    is_shown: whether to show the loss of this seed.
  """
  plan = create_plan(experiment)
  writer = stack.enter_context(
    open_writers(
      start.folder,
      dataclasses.replace(experiment.config, seed=start.seed),
      resume_step=start.step,
      steps_per_epoch=experiment.steps_per_epoch,
    )
  )

  def show(step, metrics):
    if is_shown:
      named = {f'{k} (seed {start.seed})': v for k, v in metrics.items()}
      progress.update(step, named)

  def write(step, results, learning_rate):
    scalars = training_scalars(experiment, results, learning_rate, progress)
    writer.write_scalars(step, scalars)

  return Member(
    start.seed,
    Reporter(
      initial_step=start.step,
      log_every_steps=experiment.config.log_every_steps,
      schedule=experiment.schedule,
      show=show,
      write=write,
    ),
    Monitor(experiment, plan, start.best, writer=writer, progress=progress),
    stack.enter_context(
      Checkpointer(
        start.folder.checkpoints, keep_every=plan.checkpoint_every_steps
      )
    ),
  )


class Members:
  """Reports, evaluates and saves all seeds, as `fit` requires.

  Args:
    members: the member of each seed.
    say: prints a line.
  """

  def __init__(
    self, members: Sequence[Member], say: Callable[[str], None]
  ) -> None:
    self._members = members
    self._say = say
    self._improved: dict[int, float] = {}
    self._num_improvements = 0

  def add(self, step: int, metrics: Any) -> None:
    """Adds the metrics of each seed."""
    for member, part in zip(self._members, metrics, strict=True):
      with _naming(member.seed):
        member.reporter.add(step, part)

  def flush(self) -> None:
    """Waits for everything that was added."""
    for member in self._members:
      with _naming(member.seed):
        member.reporter.flush()

  def finish(self) -> None:
    """Writes what is left."""
    for member in self._members:
      with _naming(member.seed):
        member.reporter.finish()

  def evaluate(self, step: int, variables: Any) -> float | None:
    """Evaluates each seed and returns the number of improvements so far.

    The number rises whenever there is a best state to save.
    """
    self._improved = {}
    for i, member in enumerate(self._members):
      best = member.monitor.best
      self._say(f'seed {member.seed}')
      score = member.monitor(step, part_of(variables, i))
      if score is not None and (best is None or score > best):
        self._improved[i] = score
    self._num_improvements += len(self._improved)
    return float(self._num_improvements) or None

  def save_latest(self, step: int, state: TrainState) -> None:
    """Saves each seed."""
    state = jax.device_get(state)
    for i, member in enumerate(self._members):
      member.checkpointer.save_latest(step, state_of(state, i))

  def save_best(self, step: int, state: TrainState, *, metric: float) -> None:
    """Saves the seeds that improved in the last evaluation."""
    del metric
    state = jax.device_get(state)
    for i, score in self._improved.items():
      checkpointer = self._members[i].checkpointer
      checkpointer.save_best(step, state_of(state, i), metric=score)

  def wait(self) -> None:
    """Waits until everything is on disk."""
    for member in self._members:
      member.checkpointer.wait()


@contextmanager
def _naming(seed: int) -> Iterator[None]:
  try:
    yield
  except UserError as error:
    raise UserError(f'seed {seed}: {error}') from error
