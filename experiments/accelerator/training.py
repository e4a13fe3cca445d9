"""Trains the paper's MNIST network for as long as there is time."""

import dataclasses
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments import loss_scale, table1
from experiments.accelerator.figures import Clock, Figures
from experiments.runs import Place, Run, train_run

# First with the official code's choices, then as in the text.
RUNS = (
  next(run for run in loss_scale.COMPARISON.runs if run.name == 'official'),
  table1.ROUTING3_RECONSTRUCTION,
)
# The name of the figure that holds a plan.
PLAN = 'plan of the training'
# The official code's length, and the steps in which its learning rate falls by
# a factor of 0.96.
_EPOCHS, _DECAY_STEPS = 640, 2000
# Each start compiles, and a share of the time is kept in reserve.
_SECONDS_OF_A_START, _SHARE_USED = 40, 0.9


def plan(
  seconds: float, seconds_per_epoch: float, *, num_runs: int = len(RUNS)
) -> dict[str, int]:
  """Plans how long each run is trained.

  Args:
    seconds: the time for all runs.
    seconds_per_epoch: the time of one epoch and its evaluation.
    num_runs: the number of runs.

  Returns:
    The number of epochs, 1 to 640, and the number of steps in which the
    learning rate falls by a factor of 0.96. By the end, it falls as far as in
    640 epochs of the official code.
  """
  usable = _SHARE_USED * (seconds - num_runs * _SECONDS_OF_A_START)
  epochs = int(usable / (num_runs * seconds_per_epoch))
  epochs = max(1, min(_EPOCHS, epochs))
  return {
    'num_epochs': epochs,
    'decay_steps': max(1, round(_DECAY_STEPS * epochs / _EPOCHS)),
  }


def train_all(
  figures: Figures,
  clock: Clock,
  *,
  runs_dir: Path,
  data_dir: str,
  size: str,
) -> bool:
  """Trains all runs by the plan in the figures, resuming where they stopped.

  Args:
    figures: holds the plan; receives the record of each run.
    clock: when time is up, the current run is saved and stopped.
    runs_dir: the folder that holds all runs.
    data_dir: the folder of the data.
    size: 'full', or 'smoke' for scikit-learn's digits.

  Returns:
    Whether all runs are done.
  """
  length = figures[PLAN]
  overrides = (
    f'--config.num_epochs={length["num_epochs"]}',
    f'--config.optimizer.decay_steps={length["decay_steps"]}',
  )
  place = Place(size, overrides, runs_dir, data_dir)
  for run in RUNS:
    name = f'training, {run.name}'
    if name in figures:
      continue
    if clock.left < _SECONDS_OF_A_START:
      return False
    with leaving_in_time(clock):
      record = train_run(run, 0, place)
    if record is None:
      return False
    figures.set(name, _figure(run, dataclasses.asdict(record)))
  return True


def _figure(run: Run, record: dict[str, Any]) -> dict[str, Any]:
  return {'paper': run.paper} | record


@contextmanager
def leaving_in_time(clock: Clock) -> Iterator[None]:
  """Makes training save and stop, as Ctrl-C does, when time is up."""

  def leave(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGTERM)

  before = signal.signal(signal.SIGALRM, leave)
  signal.setitimer(signal.ITIMER_REAL, max(1.0, clock.left))
  try:
    yield
  finally:
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
