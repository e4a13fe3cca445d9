"""Profiles the kernels of a training step."""

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import jax

from experiments.benchmarks import steps
from experiments.benchmarks.case import Case

_MOST_KERNELS = 40


def profile(case: Case) -> dict[str, Any]:
  """Profiles one call of the training function.

  Returns:
    The milliseconds and the number of kernels per step, and the most expensive
    kernels, each with its name, microseconds and launches per step.
  """
  call = steps.capsjax_step(case)
  jax.block_until_ready(call())
  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      jax.block_until_ready(call())
    (path,) = Path(folder).rglob('*.xplane.pb')
    events = list(_events(path))
  seconds: dict[str, float] = defaultdict(float)
  launches: dict[str, int] = defaultdict(int)
  for name, nanoseconds in events:
    seconds[name] += 1e-9 * nanoseconds
    launches[name] += 1
  count = steps.steps_per_call()
  dearest = sorted(seconds, key=seconds.__getitem__, reverse=True)
  return {
    'milliseconds_per_step': 1e3 * sum(seconds.values()) / count,
    'kernels_per_step': len(events) / count,
    'kernels': [
      [name[:100], 1e6 * seconds[name] / count, launches[name] / count]
      for name in dearest[:_MOST_KERNELS]
    ],
  }


def _events(path):
  """Yields the name and nanoseconds of each kernel; of threads on a CPU."""
  planes = list(jax.profiler.ProfileData.from_file(str(path)).planes)
  devices = [plane for plane in planes if plane.name.startswith('/device:')]
  for plane in devices or planes:
    for line in plane.lines:
      # A GPU's other lines repeat the same kernels, by module or by scope.
      if not devices or line.name.startswith(('Stream', 'XLA Ops')):
        for event in line.events:
          yield event.name, event.duration_ns
