"""Shows progress: a bar on a terminal, occasional lines elsewhere."""

import collections
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import TextIOBase

from tqdm import tqdm

# Speed is averaged over this time.
_RECENT_SECONDS = 30.0


class Progress:
  """Context manager that shows the progress, speed and metrics of a run.

      epoch 2/10, step 120/468, 203 images/s, 0:32:10 left, loss 0.0513

  Args:
    total_steps: number of steps in the whole run.
    initial_step: number of steps done before this process started.
    steps_per_epoch: number of steps per epoch.
    batch_size: number of images per step.
    enabled: if False, shows nothing.
    stream: output stream; stderr if None.
    seconds_between_lines: interval between lines without a terminal; a line is
      also printed at the end of each epoch.
    clock: returns the time in seconds.
  """

  def __init__(
    self,
    *,
    total_steps: int,
    initial_step: int = 0,
    steps_per_epoch: int,
    batch_size: int,
    enabled: bool = True,
    stream: TextIOBase | None = None,
    seconds_between_lines: float = 30.0,
    clock: Callable[[], float] = time.monotonic,
  ) -> None:
    self._total_steps = total_steps
    self._steps_per_epoch = steps_per_epoch
    self._batch_size = batch_size
    self._enabled = enabled
    self._stream = sys.stderr if stream is None else stream
    self._seconds_between_lines = seconds_between_lines
    self._step = initial_step
    self._line_printed_at = clock()
    self._speed = _Speed(clock)
    self._bar = None
    if enabled and self._stream.isatty():
      self._bar = tqdm(
        total=total_steps,
        initial=initial_step,
        desc='compiling',
        bar_format='{percentage:3.0f}%|{bar:10}| {desc}',
        dynamic_ncols=True,
        file=self._stream,
      )

  def update(self, step: int, metrics: Mapping[str, float]) -> None:
    """Shows that `step` steps are done, with the latest metrics.

    Args:
      step: number of steps since the beginning of the run.
      metrics: metrics by name; shown in percent if the name contains
        'accuracy'.
    """
    self._speed.add(step)
    ends_epoch = (
      step // self._steps_per_epoch > self._step // self._steps_per_epoch
    )
    advance, self._step = step - self._step, step
    if self._bar is not None:
      self._bar.set_description_str(self._describe(metrics), refresh=False)
      self._bar.update(advance)
    elif self._enabled and (ends_epoch or self._is_line_due()):
      print(self._describe(metrics), file=self._stream, flush=True)
      self._line_printed_at = self._speed.clock()

  def write(self, line: str) -> None:
    """Prints a line, above the bar if there is one."""
    if self._bar is not None:
      self._bar.write(line, file=self._stream)
    elif self._enabled:
      print(line, file=self._stream, flush=True)

  @contextmanager
  def paused(self) -> Iterator[None]:
    """Excludes the time inside, such as an evaluation, from the speed."""
    with self._speed.paused():
      yield

  @property
  def images_per_second(self) -> float | None:
    """Recent training speed in images per second; None if not known yet."""
    steps = self._speed.steps_per_second
    return None if steps is None else steps * self._batch_size

  def close(self) -> None:
    """Closes the bar, leaving its last state on the terminal."""
    if self._bar is not None:
      self._bar.refresh()
      self._bar.close()

  def __enter__(self) -> 'Progress':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def _is_line_due(self) -> bool:
    elapsed = self._speed.clock() - self._line_printed_at
    return elapsed >= self._seconds_between_lines

  def _describe(self, metrics: Mapping[str, float]) -> str:
    # The last step of an epoch counts to that epoch, not to the next.
    epochs_done, position = divmod(
      max(self._step - 1, 0), self._steps_per_epoch
    )
    num_epochs = -(-self._total_steps // self._steps_per_epoch)
    parts = [
      f'epoch {epochs_done + 1}/{num_epochs}',
      f'step {min(position + 1, self._step)}/{self._steps_per_epoch}',
    ]
    seconds = self._speed.seconds_for(self._total_steps - self._step)
    if seconds is not None:
      parts.append(f'{self.images_per_second:,.0f} images/s')
      parts.append(f'{tqdm.format_interval(seconds)} left')
    parts += [_format(name, value) for name, value in metrics.items()]
    return ', '.join(parts)


class _Speed:
  """Measures recent steps per second, and estimates the remaining time."""

  def __init__(self, clock: Callable[[], float]) -> None:
    self.clock = clock
    self._paused_seconds = 0.0
    # (seconds without pauses, step) of recent updates, oldest first.
    self._recent: collections.deque[tuple[float, int]] = collections.deque()
    # (seconds, seconds without pauses) at the first update.
    self._first = (0.0, 0.0)

  def add(self, step: int) -> None:
    """Records that `step` steps are done; time counts from the first call.

    The time before that is mostly compilation.
    """
    now = self.clock()
    active = now - self._paused_seconds
    if not self._recent:
      self._first = (now, active)
    self._recent.append((active, step))
    while (
      len(self._recent) > 2 and self._recent[1][0] < active - _RECENT_SECONDS
    ):
      self._recent.popleft()

  @contextmanager
  def paused(self) -> Iterator[None]:
    start = self.clock()
    try:
      yield
    finally:
      self._paused_seconds += self.clock() - start

  @property
  def steps_per_second(self) -> float | None:
    if len(self._recent) < 2:
      return None
    (start, first_step), (end, last_step) = self._recent[0], self._recent[-1]
    return (last_step - first_step) / max(end - start, 1e-9)

  def seconds_for(self, steps: int) -> float | None:
    """Estimates the time for `steps` steps, with pauses as often as so far."""
    if not self.steps_per_second:
      return None
    now = self.clock()
    first, first_active = self._first
    active = max(now - self._paused_seconds - first_active, 1e-9)
    return steps / self.steps_per_second * (now - first) / active


def _format(name: str, value: float) -> str:
  return f'{name} {value:.1%}' if 'accuracy' in name else f'{name} {value:.4f}'
