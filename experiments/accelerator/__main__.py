"""Measures capsjax on an accelerator, and trains it, in a given time.

Measures the training step beside PyTorch's (if it is installed), an epoch, the
evaluation, routing alone, the agreement with the CPU, and the time of each
kernel. Then spends the remaining time on training the paper's MNIST network,
first with the official code's choices and then as in the text. The learning
rate schedule is compressed to the number of epochs that fit. Each figure is
written when it is measured; the same command resumes.
"""

import argparse
import os
from pathlib import Path

from experiments.accelerator.figures import Clock, Figures
from experiments.program import leave_with

_NAME = 'experiments.accelerator'
_MNIST = 60_000
# Only to test that everything runs; the figures mean nothing.
_TINY = {'conv_features': 8, 'num_types': 2, 'decoder_sizes': (8, 8)}


def main() -> None:
  """Runs the command and exits with its status."""
  leave_with(_NAME, _run)


def _parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    f'python -m {_NAME}',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add = parser.add_argument
  add(
    '--minutes',
    type=_positive,
    default=10.0,
    metavar='N',
    help='total time to spend (default: %(default)g)',
  )
  add(
    '--data-dir',
    default='',
    metavar='DIR',
    help='folder that holds MNIST, or to download it to',
  )
  add(
    '--runs-dir',
    type=Path,
    default=Path('runs/accelerator'),
    metavar='DIR',
    help='folder where runs are kept and resumed (default: %(default)s)',
  )
  add(
    '--results',
    type=Path,
    metavar='FILE',
    help='JSON file of the figures (default: figures.json in --runs-dir)',
  )
  add(
    '--tiny',
    action='store_true',
    help="use a tiny network on scikit-learn's digits, to check on a CPU that "
    'everything runs; the figures mean nothing',
  )
  return parser.parse_args()


def _positive(word: str) -> float:
  number = float(word)
  if not 0 < number < float('inf'):
    raise argparse.ArgumentTypeError(f'{word} is not above 0')
  return number


def _run() -> int:
  options = _parse()
  # Leaves memory for PyTorch.
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  clock = Clock(60 * options.minutes)
  path = options.results or options.runs_dir / 'figures.json'
  figures = Figures(path, clock)
  _measure(figures, tiny=options.tiny)
  is_done = _train(figures, clock, options)
  print(f'figures in {path}')
  if not is_done:
    print('not all of it is done; the same command resumes')
  return 0


def _measure(figures: Figures, *, tiny: bool) -> None:
  """Measures what is missing, the most informative figures first."""
  from capsjax import runtime
  from experiments.accelerator import kernels, measurements
  from experiments.benchmarks.__main__ import available
  from experiments.benchmarks.case import Case

  runtime.start()
  figures.measure('machine', measurements.describe, seconds=1)
  contenders = available(('PyTorch, compiled', 'PyTorch, compiled, CUDA graph'))
  batch, images, in_caps = (16, 64, 12) if tiny else (128, _MNIST, 1152)
  repeats = 2 if tiny else 5
  cases = {
    dtype: Case('', batch, dtype, sizes=_TINY if tiny else {}, repeats=repeats)
    for dtype in ('float32', 'bfloat16')
  }
  figures.measure(
    'limits',
    lambda: measurements.rates(size=64 if tiny else 8192, repeats=repeats),
    seconds=10,
  )
  for dtype, case in cases.items():
    figures.measure(
      f'epoch, {dtype}',
      lambda case=case: measurements.epoch(case, images=images),
      seconds=45,
    )
    figures.measure(
      f'evaluation, {dtype}',
      lambda case=case: measurements.evaluation(
        case, images=max(images // 6, batch)
      ),
      seconds=15,
    )
  figures.measure(
    'kernels, float32',
    lambda: kernels.profile(cases['float32']),
    seconds=25,
  )
  figures.measure(
    'agreement with the CPU',
    lambda: measurements.agreement(cases['float32']),
    seconds=25,
  )
  for dtype, case in cases.items():
    figures.measure(
      f'training step, {dtype}',
      lambda case=case: measurements.training_steps(
        case, figures['limits'], contenders
      ),
      seconds=90,
    )
    figures.measure(
      f'routing, {dtype}',
      lambda case=case: measurements.routing_alone(
        case, in_caps=in_caps, with_torch=len(contenders) > 1
      ),
      seconds=20,
    )


def _train(figures: Figures, clock: Clock, options: argparse.Namespace) -> bool:
  """Trains in the time that is left; returns whether all is done."""
  from experiments.accelerator import measurements, training

  if training.PLAN not in figures:
    if not {'epoch, float32', 'evaluation, float32'} <= figures.names:
      return False
    seconds = measurements.seconds_per_epoch(figures, _MNIST)
    length = training.plan(0 if options.tiny else clock.left, seconds)
    figures.set(training.PLAN, length)
  return training.train_all(
    figures,
    clock,
    runs_dir=options.runs_dir,
    data_dir=options.data_dir,
    size='smoke' if options.tiny else 'full',
  )


if __name__ == '__main__':
  main()
