"""Times calls in turns, so that the machine's drift affects all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax


def take_turns(
  calls: Mapping[str, Callable[[], Any]],
  *,
  repeats: int,
  patience: float = float('inf'),
) -> dict[str, list[float]]:
  """Times each call once, then each of them again, and so on.

  In its turn each function is called twice, and only the second call is timed:
  the first finds memory and caches as the previous function left them.

  Args:
    calls: functions by name; JAX results are waited for. Each function is first
      called twice, to compile and to warm up.
    repeats: how often each is timed.
    patience: the seconds above which the warm-up is the only timing.

  Returns:
    The seconds of each call, by name, in the order of the turns.
  """
  seconds: dict[str, list[float]] = {}
  for name, call in calls.items():
    jax.block_until_ready(call())
    warm_up = _seconds(call)
    seconds[name] = [warm_up] if warm_up > patience else []
  in_turns = [name for name in calls if not seconds[name]]
  for _ in range(repeats):
    for name in in_turns:
      _seconds(calls[name])
      seconds[name].append(_seconds(calls[name]))
  return seconds


def _seconds(call):
  start = time.perf_counter()
  jax.block_until_ready(call())
  return time.perf_counter() - start


def spread(values: Sequence[float], digits: int = 3) -> dict[str, float]:
  """Returns median and quartiles, rounded to `digits` significant digits."""
  low, median, high = (
    statistics.quantiles(values, n=4, method='inclusive')
    if len(values) > 1
    else [values[0]] * 3
  )
  names = ('low', 'median', 'high')
  return {
    name: float(f'{value:.{digits}g}')
    for name, value in zip(names, (low, median, high), strict=True)
  }


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
  """Returns the spread of the per-turn ratios of their seconds to ours.

  A contender that was timed only once is compared with our median.
  """
  if len(theirs) != len(ours):
    ours = [statistics.median(ours)] * len(theirs)
  return spread([b / a for a, b in zip(ours, theirs, strict=True)])
