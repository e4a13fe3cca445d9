"""The command `evaluate`: measures a checkpoint on the test set."""

import dataclasses
import json
from pathlib import Path

import jax
from tqdm import tqdm

from capsjax.data import Dataset
from capsjax.files import write_file
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun
from capsjax.training import Results


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Results:
  """Evaluates the test set, prints the metrics, writes `evaluation.json`.

  Each test image counts exactly once.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.

  Returns:
    The metrics.

  Raises:
    UserError: if there is no such run or checkpoint.
  """
  trained = TrainedRun.open(
    workdir, config=config, checkpoint_name=checkpoint_name
  )
  experiment = trained.experiment
  results = _evaluate(experiment, trained.variables)
  if jax.process_index() == 0:
    print(_table(results, experiment.dataset, trained.step))
    record = {'step': trained.step, 'dataset': experiment.dataset.name}
    record |= {'error_percent': results.error} | dataclasses.asdict(results)
    path = RunFolder(output).evaluation
    write_file(path, json.dumps(record, indent=2) + '\n')
    print(f'written to {path}')
  return results


def _evaluate(experiment, variables):
  with tqdm(
    total=experiment.test_size, unit='image', leave=False, disable=None
  ) as progress:
    return experiment.evaluate(
      variables,
      experiment.dataset.test,
      on_batch=lambda done: progress.update(done - progress.n),
    )


def _table(results: Results, dataset: Dataset, step: int) -> str:
  lines = [
    f'{dataset.name}, {results.count:,} test images, '
    f'checkpoint of step {step:,}',
    f'error                {results.error:.2f}%',
    f'accuracy             {100 * results.accuracy:.2f}%',
    f'classification loss  {results.classification_loss:.5f}',
    f'reconstruction loss  {results.reconstruction_loss:.3f}',
    '',
    'confusion matrix (rows: true class, columns: predicted), class accuracy',
  ]
  width = max(4, *(len(str(n)) for row in results.confusion for n in row)) + 1
  header = ''.join(f'{k:{width}}' for k in range(dataset.num_classes))
  names = [
    f'{k}' if name == f'{k}' else f'{k} {name}'
    for k, name in enumerate(dataset.class_names)
  ]
  margin = max(4, *map(len, names))
  lines.append(f'{"":{margin}} {header}')
  for name, row, accuracy in zip(
    names, results.confusion, results.class_accuracy, strict=True
  ):
    counts = ''.join(f'{n:{width}}' for n in row)
    lines.append(f'{name:{margin}} {counts}   {100 * accuracy:6.2f}%')
  return '\n'.join(lines)
