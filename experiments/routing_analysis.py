"""Measures how much routing changes its logits and the training loss.

python -m experiments.routing_analysis --size=cpu

Figure A.1 shows the mean absolute change of the routing logits in each
iteration, on MNIST, for networks with 2, 3, 5, 7 and 10 iterations. Their
primary scale is 1/32; without it, 5 or more iterations start to learn late.
Figure A.2 shows the training loss with 1 and with 3 iterations, on CIFAR10.
Both are written as pictures and as JSON. The same command resumes what was
interrupted.
"""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

from capsjax.runs import (
  RunFolder,
  curve,
  read_course,
  require_continues,
)
from experiments import routing_change, routing_figures
from experiments.options import add_place
from experiments.program import leave_with
from experiments.records import write_json
from experiments.runs import (
  SMALL_STEPS,
  Place,
  Run,
  config_of,
  record_of,
  train_run,
)

# Figure A.1's numbers of iterations; fewer for the smoke size.
_NUM_ITERATIONS = (2, 3, 5, 7, 10)
_SMOKE_NUM_ITERATIONS = (2, 3)
# Figure A.1, by size: overrides, number of epochs, and epochs between
# measurements, each of which takes a minute.
_CHANGE = {
  'smoke': ((), 2, 1),
  'cpu': (('--config.train_size=6400',), 4, 1),
  'full': ((), 500, 25),
}
# Figure A.2, by size: overrides and number of epochs. The runs log its loss.
_LOSS = {
  'smoke': ((), 1),
  'cpu': (('--config.train_size=6400',), 2),
  'full': ((), 640),
}


def main() -> None:
  """Trains what is missing, then draws and writes the results."""
  leave_with('routing_analysis', lambda: _run(_parse()))


def _parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    'python -m experiments.routing_analysis',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  add_place(parser)
  add = parser.add_argument
  add(
    '--figures',
    nargs='+',
    choices=('A.1', 'A.2'),
    default=('A.1', 'A.2'),
    help='draw only these figures',
  )
  add(
    '--cifar10-dir',
    metavar='DIR',
    default='',
    help='CIFAR10 as class folders, or an archive of them (default: TensorFlow '
    'Datasets prepares the set)',
  )
  add(
    '--out',
    type=Path,
    metavar='DIR',
    help='folder for the JSON and the pictures (default: with the runs)',
  )
  return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
  from capsjax import runtime

  runtime.start()
  out = options.out or options.runs_dir / options.size / 'routing_analysis'
  out.mkdir(parents=True, exist_ok=True)
  if 'A.1' in options.figures:
    changes = _changes(options)
    if changes is None:
      return _stopped()
    _write(
      changes, routing_figures.change_figure(changes), out / 'routing_change'
    )
  if 'A.2' in options.figures:
    losses = _losses(options)
    if losses is None:
      return _stopped()
    figure = routing_figures.loss_figure(losses)
    _write(losses, figure, out / 'routing_loss')
  return 0


def _stopped() -> int:
  print('stopped, all saved; repeat the routing_analysis command to resume')
  return 0


def _write(numbers: Any, figure: Any, path: Path) -> None:
  write_json(path.with_suffix('.json'), numbers)
  figure.savefig(path.with_suffix('.png'), dpi=100)
  print(f'written to {path}.json and {path}.png')


def _changes(options: argparse.Namespace) -> dict[str, dict[str, Any]] | None:
  """Returns the run and its changes by epoch, for each iteration count."""
  overrides, num_epochs, every = _CHANGE[options.size]
  changes: dict[str, dict[str, Any]] = {}
  is_smoke = options.size == 'smoke'
  for count in _SMOKE_NUM_ITERATIONS if is_smoke else _NUM_ITERATIONS:
    run = Run(
      f'routing{count}',
      'mnist',
      # Without small steps, 5 or more iterations learn nothing for 50 steps.
      (f'--config.model.routing.num_iterations={count}', SMALL_STEPS),
      group='routing_change',
    )
    by_epoch = {}
    for epoch in range(every, num_epochs + 1, every):
      place = Place(
        options.size,
        (*overrides, f'--config.num_epochs={epoch}'),
        options.runs_dir,
        options.data_dir,
      )
      found = _change_after(run, epoch, place)
      if found is None:
        return None
      by_epoch[str(epoch)] = found
      means = ', '.join(f'{change:.3g}' for change in found)
      print(f'{count} iterations, epoch {epoch}: changes {means}')
    changes[str(count)] = _described(run, place) | {'changes': by_epoch}
  return changes


def _change_after(run: Run, epoch: int, place: Place) -> list[float] | None:
  """Trains to the end of an epoch and measures; None if interrupted."""
  workdir = place.workdir(run, 0)
  config = config_of(run, 0, place)
  require_continues(config, RunFolder(workdir).config, option='--runs-dir')
  path = workdir / f'change_after_{epoch}.json'
  if path.is_file():
    return json.loads(path.read_text())
  if train_run(run, 0, place) is None:
    return None
  found = routing_change.mean_changes(workdir)
  write_json(path, found)
  return found


def _described(run: Run, place: Place) -> dict[str, Any]:
  """The record of a trained run, as a dictionary."""
  record = record_of(run, 0, place, config_of(run, 0, place))
  return dataclasses.asdict(record)


def _losses(options: argparse.Namespace) -> dict[str, Any] | None:
  """Returns the run and its training loss, for each iteration count."""
  overrides, num_epochs = _LOSS[options.size]
  losses = {}
  for count in (1, 3):
    run = Run(
      f'routing{count}',
      'cifar10',
      (f'--config.model.routing.num_iterations={count}',),
      group='routing_loss',
    )
    words = [*overrides, f'--config.num_epochs={num_epochs}']
    words += ['--config.log_every_steps=5'] if options.size != 'full' else []
    words += ['--config.dataset=folder'] if options.cifar10_dir else []
    place = Place(
      options.size,
      tuple(words),
      options.runs_dir,
      options.cifar10_dir or options.data_dir,
    )
    if train_run(run, 0, place) is None:
      return None
    found = curve(read_course(RunFolder(place.workdir(run, 0))), 'train/loss')
    losses[str(count)] = _described(run, place) | {
      'epoch': found.epochs.tolist(),
      'training_loss': found.values.tolist(),
    }
  return losses


if __name__ == '__main__':
  main()
