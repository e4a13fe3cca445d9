"""Which choices keep the capsules alive: one at a time, on part of MNIST.

python -m experiments.capsules_alive --data-dir=DIR

Trains the paper's network on 10,000 images for 6 epochs once for each
candidate, which takes about 5 minutes on two cores, and records its test error,
the lengths of its capsules and its couplings. What is recorded is not trained
again; `--only` chooses candidates.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from capsjax.errors import UserError, did_you_mean
from experiments import machine
from experiments.program import leave_with
from experiments.records import table, write_json

# The rate falls to a sixth, so that the end of such a short run tells something
# of the end of a long one.
_COMMON = {
  'train_size': 10_000,
  'num_epochs': 6,
  'optimizer.schedule': 'per_epoch',
  'optimizer.decay_rate': 0.7,
  'optimizer.warmup_steps': 0,
}
_LAYERS = ('conv', 'primary', 'capsules', 'decoder', 'bias')


@dataclasses.dataclass(frozen=True)
class Candidate:
  """One way to train the paper's network.

  Attributes:
    fields: of the configuration, by dotted name.
    official: the parts whose initial values are the official code's.
  """

  fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  official: tuple[str, ...] = ()


_SMALL = {'model.primary_scale': 1 / 32}
_WARM = {'optimizer.warmup_steps': 78}
CANDIDATES = {
  'paper': Candidate(),
  'primary scale 1/8': Candidate({'model.primary_scale': 1 / 8}),
  'primary scale 1/32': Candidate(_SMALL),
  'official initial values': Candidate(official=_LAYERS),
  'official initial values, scale 1/32': Candidate(_SMALL, _LAYERS),
  'epsilon of TensorFlow': Candidate({'optimizer.use_epsilon_hat': True}),
  'warm-up': Candidate(_WARM),
  'warm-up, 1 iteration': Candidate(
    _WARM | {'model.routing.num_iterations': 1}
  ),
  'warm-up, 5 iterations': Candidate(
    _WARM | {'model.routing.num_iterations': 5}
  ),
  'warm-up, no reconstruction': Candidate(_WARM | {'model.has_decoder': False}),
  'warm-up, W x 3': Candidate(_WARM | {'model.matrix_scale': 3.0}),
  'warm-up, W / 3': Candidate(_WARM | {'model.matrix_scale': 1 / 3}),
  'warm-up, official loss ratio': Candidate(
    _WARM | {'loss.margin_weight': 0.05}
  ),
  'warm-up, official decay': Candidate(
    _WARM | {'optimizer.schedule': 'exponential', 'optimizer.decay_rate': 0.96}
  ),
  'warm-up, official conv': Candidate(_WARM, ('conv',)),
  'warm-up, official primary': Candidate(_WARM, ('primary',)),
  'warm-up, official bias': Candidate(_WARM, ('bias',)),
  'warm-up, official decoder': Candidate(_WARM, ('decoder',)),
}


def main() -> None:
  """Trains the candidates that are not recorded yet."""
  leave_with('capsules_alive', lambda: _run(_parse()))


def _parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    'python -m experiments.capsules_alive',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
    allow_abbrev=False,
  )
  parser.add_argument('--data-dir', default='', metavar='DIR', help='of MNIST')
  parser.add_argument('--seed', type=int, default=0, help='(default: 0)')
  parser.add_argument(
    '--only', nargs='+', metavar='NAME', help='only these candidates'
  )
  parser.add_argument(
    '--results',
    type=Path,
    metavar='FILE',
    default=Path('runs/capsules_alive.json'),
    help='the JSON file that is added to (default: runs/capsules_alive.json)',
  )
  return parser.parse_args()


def _run(options: argparse.Namespace) -> int:
  from capsjax import runtime

  runtime.start()
  for name in options.only or ():
    if name not in CANDIDATES:
      raise UserError(f'no candidate {name}; {did_you_mean(name, CANDIDATES)}')
  options.results.parent.mkdir(parents=True, exist_ok=True)
  path = options.results
  found = _read(path)
  done = {(record['candidate'], record['seed']) for record in found}
  for name in options.only or CANDIDATES:
    if (name, options.seed) not in done:
      print(f'{name}: ', end='', flush=True)
      measured = _train(CANDIDATES[name], options.seed, options.data_dir)
      record = {'candidate': name, 'seed': options.seed}
      found.append(record | measured | machine.describe())
      write_json(path, found)
      print(_line(measured), flush=True)
  print(f'\n{_table(found)}\n\nresults in {path}')
  return 0


def _read(path: Path) -> list[dict[str, Any]]:
  """Returns the records of a file of results, which may be absent."""
  if not path.is_file():
    return []
  try:
    found = json.loads(path.read_text())
    if all({'candidate', 'seed'} <= record.keys() for record in found):
      return found
  except (AttributeError, TypeError, ValueError):
    pass
  raise UserError(
    f'{path} holds no results of this program; choose another with --results'
  )


def _train(candidate: Candidate, seed: int, data_dir: str) -> dict[str, Any]:
  """Trains a candidate and measures what came of it."""
  from capsjax.examples import epoch_permutation

  experiment = _experiment(candidate, seed, data_dir)
  config, devices = experiment.config, experiment.devices
  train_fn = experiment.train_fn()
  state = devices.replicate(experiment.create_state())
  data = experiment.data_of(experiment.dataset.train)
  errors, started = {}, time.monotonic()
  for epoch in range(config.num_epochs):
    permutation = epoch_permutation(
      experiment.keys.order, epoch, len(data.labels)
    )
    for _ in range(experiment.steps_per_epoch):
      state, _ = train_fn(state, data, permutation, 1)
    if epoch + 1 in (2, config.num_epochs):
      results = experiment.evaluate(state.variables, experiment.dataset.test)
      errors[str(epoch + 1)] = round(100 * (1 - results.accuracy), 2)
  return {
    'test_error_percent': errors,
    'statistics': {
      name: float(f'{number:.4g}')
      for name, number in experiment.diagnose(state.variables).items()
    },
    'minutes': round((time.monotonic() - started) / 60, 1),
  }


def _experiment(candidate: Candidate, seed: int, data_dir: str) -> Any:
  from capsjax import models
  from capsjax.runs import Experiment, load_config

  fields = _COMMON | candidate.fields | {'seed': seed, 'data_dir': data_dir}
  words = [f'--config.{name}={value}' for name, value in fields.items()]
  config = load_config(Path('configs/mnist.py'), words)
  experiment = Experiment.create(config)

  initialization = dataclasses.replace(
    models.FAN_IN,
    **{part: getattr(models.OFFICIAL, part) for part in candidate.official},
  )
  return dataclasses.replace(
    experiment, model=experiment.model.clone(initialization=initialization)
  )


def _table(found: Sequence[Mapping[str, Any]]) -> str:
  """Returns a Markdown table of what was recorded."""
  head = ['candidate', 'seed', 'test error', 'primary length, deviation']
  head.append('largest coupling in each iteration')
  rows = []
  for record in found:
    errors = list(record['test_error_percent'].values())
    length, deviation, couplings = _capsules(record['statistics'])
    rows.append(
      [
        *(record['candidate'], record['seed'], f'{errors[-1]:.2f}%'),
        f'{length:.3f}, {deviation:.3f}',
        ', '.join(f'{coupling:.4f}' for coupling in couplings),
      ]
    )
  return table(head, rows)


def _capsules(
  statistics: Mapping[str, float],
) -> tuple[float, float, list[float]]:
  """Returns length and deviation of primary capsules, and the couplings."""
  couplings = [v for k, v in statistics.items() if 'largest_coupling' in k]
  primary = 'capsules/primary_capsules/length'
  return statistics[primary], statistics[f'{primary}_deviation'], couplings


def _line(measured: Mapping[str, Any]) -> str:
  """Returns what was measured of one candidate, on one line."""
  length, deviation, couplings = _capsules(measured['statistics'])
  listed = ', '.join(f'{coupling:.4f}' for coupling in couplings)
  return (
    f'errors {measured["test_error_percent"]}, primary length {length:.3f} ± '
    f'{deviation:.3f}, largest couplings {listed}'
  )


if __name__ == '__main__':
  main()
