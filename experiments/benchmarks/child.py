"""Measures a contender's training step, and its peak memory, in a new process.

    python -m experiments.benchmarks.child '{"contender": "capsjax", ...}'

The argument holds the fields of `Case`; the output is JSON. The process has as
many devices as the case asks for; on a CPU, XLA simulates them.
"""

import dataclasses
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from experiments.benchmarks.case import Case


def run(case: Case) -> dict[str, Any]:
  """Trains in a new process.

  Returns:
    'seconds' of the timed steps, the last 'loss', and 'peak_memory_gb', which
    is the process's on a CPU and the device's elsewhere.
  """
  flags = os.environ.get('XLA_FLAGS', '')
  flags += f' --xla_force_host_platform_device_count={case.num_devices}'
  done = subprocess.run(
    [
      *(sys.executable, '-m', 'experiments.benchmarks.child'),
      json.dumps(dataclasses.asdict(case)),
    ],
    env=os.environ | {'XLA_FLAGS': flags.strip()},
    check=True,
    stdout=subprocess.PIPE,
    text=True,
  )
  return json.loads(done.stdout.splitlines()[-1])


def _measure(case: Case) -> dict[str, Any]:
  import jax

  from experiments.benchmarks import steps, timing

  step = steps.CONTENDERS[case.contender](case)
  seconds = timing.take_turns({'': step}, repeats=case.repeats)['']
  on_cpu = jax.default_backend() == 'cpu'
  peak = _peak_of_process() if on_cpu else _peak_of_device(case)
  return {
    'seconds': seconds,
    'loss': float(step()),
    'peak_memory_gb': round(peak / 1e9, 2),
  }


def _peak_of_process():
  # Not ru_maxrss, which starts at the parent process's value.
  status = Path('/proc/self/status')
  if not status.is_file():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
  (line,) = re.findall(r'VmHWM:\s+(\d+) kB', status.read_text())
  return int(line) * 1024


def _peak_of_device(case):
  if case.contender.startswith('PyTorch'):
    import torch

    return torch.cuda.max_memory_allocated()
  import jax

  return jax.devices()[0].memory_stats()['peak_bytes_in_use']


if __name__ == '__main__':
  words = json.loads(sys.argv[1])
  words['image_shape'] = tuple(words['image_shape'])
  print(json.dumps(_measure(Case(**words))))
