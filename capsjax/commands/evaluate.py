"""The command `evaluate`: measures a checkpoint on the test set."""

import dataclasses
import json
from pathlib import Path

import jax
from ml_collections import ConfigDict
from tqdm import tqdm

from capsjax import configuration
from capsjax.commands.workdir import CHECKPOINTS
from capsjax.errors import UserError
from capsjax.evaluation import Results, evaluate
from capsjax.experiment import Experiment
from capsjax.training.restore import restore

FILE_NAME = 'evaluation.json'


def run(config: ConfigDict, workdir: Path, *, checkpoint_name: str) -> Results:
  """Evaluates every test image once; prints, and writes `evaluation.json`.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.

  Returns:
    The metrics.

  Raises:
    UserError: if there is no such run or checkpoint.
  """
  which = _parse_checkpoint(checkpoint_name)
  if not (workdir / configuration.FILE_NAME).is_file():
    raise UserError(
      f'{workdir} holds no run; train one with --config FILE --workdir '
      f'{workdir}'
    )
  experiment = Experiment.create(config)
  restored = restore(
    workdir / CHECKPOINTS,
    experiment.state_template(),
    which=which,
    warn=print,
  )
  if restored is None:
    raise UserError(f'{workdir} has no checkpoint yet; train it first')
  results = _evaluate(experiment, restored.state.params)
  if jax.process_index() == 0:
    print(_table(results, experiment.dataset.name, restored.step))
    record = {'step': restored.step, 'dataset': experiment.dataset.name}
    record |= {'error_percent': results.error} | dataclasses.asdict(results)
    path = workdir / FILE_NAME
    path.write_text(json.dumps(record, indent=2) + '\n')
    print(f'written to {path}')
  return results


def _parse_checkpoint(name):
  if name in ('latest', 'best'):
    return name
  if name.isdecimal():
    return int(name)
  raise UserError(
    f'--checkpoint {name}: must be latest, best, or the number of a step'
  )


def _evaluate(experiment, params):
  split = experiment.dataset.test
  with tqdm(
    total=len(split), unit='image', leave=False, disable=None
  ) as progress:
    return evaluate(
      experiment.eval_fn(),
      experiment.devices.replicate(params),
      split,
      batch_size=experiment.config.batch_size,
      num_classes=experiment.dataset.num_classes,
      on_batch=lambda done: progress.update(done - progress.n),
    ).compute()


def _table(results: Results, name: str, step: int) -> str:
  lines = [
    f'{name}, {results.count:,} test images, checkpoint of step {step:,}',
    f'error                {results.error:.2f}%',
    f'accuracy             {100 * results.accuracy:.2f}%',
    f'classification loss  {results.classification_loss:.5f}',
    f'reconstruction loss  {results.reconstruction_loss:.3f}',
    '',
    'confusion: true class by row, predicted by column, then its accuracy',
  ]
  width = max(4, *(len(str(n)) for row in results.confusion for n in row)) + 1
  header = ''.join(f'{k:{width}}' for k in range(len(results.confusion)))
  lines.append(f'     {header}')
  for k, (row, accuracy) in enumerate(
    zip(results.confusion, results.class_accuracy, strict=True)
  ):
    counts = ''.join(f'{n:{width}}' for n in row)
    lines.append(f'{k:4} {counts}   {100 * accuracy:6.2f}%')
  return '\n'.join(lines)
