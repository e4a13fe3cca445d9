"""Seconds of calls, measured in turns so that the machine's drift cancels."""

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
  """Times each of them once, then each of them again, and so on.

  In its turn each is called twice, and the second call is timed: the first
  finds the memory and the caches as the one before has left them.

  Args:
    calls: functions by name; what JAX computes is waited for. Each is called
      twice before, to compile and to warm up.
    repeats: how often each is timed.
    patience: a call whose warm-up takes more seconds is not repeated: that is
      its only figure.

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
  """Median and quartiles, rounded to so many significant digits."""
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
  """How many times our seconds theirs are: the spread of the turns' ratios.

  What was timed only once is compared with the median of the other.
  """
  if len(theirs) != len(ours):
    ours = [statistics.median(ours)] * len(theirs)
  return spread([b / a for a, b in zip(ours, theirs, strict=True)])
