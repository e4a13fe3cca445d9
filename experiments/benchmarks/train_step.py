"""Measures speed, memory and start-up time of the training step.

    python -m experiments.benchmarks.train_step

Trains the network of configs/mnist.py on random images of MNIST's shape, with
shifts, through the same compiled function as a real run. Each start is a fresh
process: the first with an empty compilation cache, the second with the cache
that the first filled. Prints a table and writes JSON.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from capsjax.huge_pages import restart_with_huge_pages

_STARTED = time.monotonic()


def main() -> None:
  """Measures, prints and writes the figures."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('--batch-size', type=int, default=128)
  parser.add_argument('--repeats', type=int, default=15)
  parser.add_argument('--json', type=Path, help='also write the figures here')
  parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
  options = parser.parse_args()
  if options.child:
    print(json.dumps(_measure(options.batch_size, options.repeats)))
    return
  figures = _run_twice(options)
  for name, value in figures.items():
    print(f'{name:32} {value}')
  if options.json:
    options.json.write_text(json.dumps(figures, indent=2) + '\n')


def _run_twice(options):
  command = [sys.executable, '-m', 'experiments.benchmarks.train_step']
  command += ['--child', f'--batch-size={options.batch_size}']
  command += [f'--repeats={options.repeats}']
  with tempfile.TemporaryDirectory() as cache:
    environment = os.environ | {'JAX_COMPILATION_CACHE_DIR': cache}
    cold, warm = (
      json.loads(
        subprocess.run(
          command, env=environment, check=True, capture_output=True, text=True
        ).stdout.splitlines()[-1]
      )
      for _ in range(2)
    )
  return cold | {
    'first_step_after_seconds_cached': warm['first_step_after_seconds']
  }


def _measure(batch_size: int, repeats: int) -> dict[str, object]:
  import jax

  from capsjax import runtime
  from experiments.benchmarks import ours

  runtime.start()
  experiment = ours.create_experiment(
    [f'--config.batch_size={batch_size}', '--config.num_devices=1'],
    num_images=batch_size * (repeats + 2),
  )
  step = ours.TrainStep(experiment)
  seconds = []
  for index in range(repeats + 1):
    start = time.monotonic()
    jax.block_until_ready(step())
    seconds.append(time.monotonic() - start)
    if index == 0:
      first_step = time.monotonic() - _STARTED
  low, median, high = statistics.quantiles(seconds[1:], n=4)
  return {
    'hardware': f'{platform.machine()}, {os.cpu_count()} cores',
    'device': experiment.devices.description,
    'versions': f'python {platform.python_version()}, jax {jax.__version__}',
    'batch_size': batch_size,
    'images_per_second': round(batch_size / median, 1),
    'seconds_per_step': round(median, 4),
    'seconds_per_step_quartiles': [round(low, 4), round(high, 4)],
    'repeats': repeats,
    'peak_memory_gb': round(
      resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, 2
    ),
    'first_step_after_seconds': round(first_step, 2),
  }


if __name__ == '__main__':
  restart_with_huge_pages()
  main()
