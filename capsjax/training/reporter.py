"""Reports training metrics one call late, so that the device never idles.

Calls of the training function are asynchronous. Reading their metrics at once
would leave the device without work meanwhile, so metrics are read after the
next call is queued.
"""

import collections
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import optax

from capsjax.errors import UserError
from capsjax.training.metrics import Metrics, Results

# Calls on the device: one running and one queued.
_MAX_IN_FLIGHT = 2


class Reporter:
  """Collects and shows training metrics, and stops if a loss is not finite.

  Args:
    initial_step: the step that the run starts from.
    log_every_steps: number of steps between calls of `write`.
    schedule: the learning rate by step.
    show: called as `show(step, {'loss': ..., 'accuracy': ...})` after each
      call of the training function.
    write: called as `write(step, results, learning_rate)` every
      `log_every_steps` and at the end, with the results since the last call.
  """

  def __init__(
    self,
    *,
    initial_step: int,
    log_every_steps: int,
    schedule: optax.Schedule,
    show: Callable[[int, dict[str, float]], None],
    write: Callable[[int, Results, float], None],
  ) -> None:
    self._log_every_steps = log_every_steps
    self._schedule = schedule
    self._show = show
    self._write = write
    self._in_flight: collections.deque[tuple[int, Metrics]] = (
      collections.deque()
    )
    self._window: Any = None
    self._seen_step = initial_step
    self._written_step = initial_step

  def add(self, step: int, metrics: Metrics) -> None:
    """Adds the metrics of the steps up to `step`, which may be pending."""
    self._in_flight.append((step, metrics))
    while len(self._in_flight) >= _MAX_IN_FLIGHT:
      self._fetch()

  def flush(self) -> None:
    """Waits for all metrics that were added.

    Raises:
      UserError: a loss is not finite; `add` raises it too.
    """
    while self._in_flight:
      self._fetch()

  def finish(self) -> None:
    """Waits like `flush`, then writes the remaining metrics."""
    self.flush()
    if self._window is not None:
      self._write_window(self._seen_step)

  def _fetch(self):
    step, metrics = self._in_flight.popleft()
    metrics = jax.device_get(metrics)
    results = metrics.compute()
    if not np.isfinite(results.loss):
      raise UserError(
        f'the loss is not finite between steps {self._seen_step} and {step}; '
        'earlier checkpoints are kept: train again with a smaller '
        '--config.optimizer.learning_rate in another --workdir'
      )
    self._show(step, {'loss': results.loss, 'accuracy': results.accuracy})
    self._window = (
      metrics if self._window is None else self._window.merge(metrics)
    )
    if (
      step // self._log_every_steps
      > self._written_step // self._log_every_steps
    ):
      self._write_window(step)
    self._seen_step = step

  def _write_window(self, step):
    results = self._window.compute()
    self._write(step, results, float(self._schedule(step - 1)))
    self._window = None
    self._written_step = step
