"""The command `evaluate`: measures a checkpoint on the test set."""

import dataclasses
import json
from pathlib import Path

import jax
from tqdm import tqdm

from capsjax import console
from capsjax.data import Dataset
from capsjax.files import write_file
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import is_same_dataset
from capsjax.runs.folder import RunFolder
from capsjax.runs.known_images import count_known
from capsjax.runs.trained_run import TrainedRun
from capsjax.training import Results


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Results:
  """Evaluates the test set, prints the metrics, writes `evaluation.json`.

  Each test image counts exactly once. The file has the recall of each class,
  and the number of test images that the run was trained on, null if unknown.

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
  experiment, dataset = trained.experiment, trained.experiment.dataset
  results = _evaluate(experiment, trained.variables)
  if jax.process_index() == 0:
    known = count_known(dataset.test.images, trained.folder)
    print(_table(results, dataset, trained.step))
    if known:
      print(
        f'\n{known:,} of the {len(dataset.test):,} test images were trained on:'
        ' the error on new images is higher'
      )
    elif known is None and not is_same_dataset(dataset, trained.folder):
      print(
        '\nthe training images are no longer those of the run, so some of the '
        'test images may have been trained on'
      )
    record = {'step': trained.step, 'dataset': dataset.name}
    record |= {'class_names': dataset.class_names, 'trained_on': known}
    record |= {'error_percent': results.error} | dataclasses.asdict(results)
    path = RunFolder(output).evaluation
    write_file(path, json.dumps(record, indent=2) + '\n')
    console.say(f'written to {path}')
  return results


def _evaluate(experiment, variables):
  with tqdm(
    total=experiment.test_size,
    unit='image',
    leave=False,
    disable=console.hides_bar(),
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
    f'balanced accuracy    {100 * results.balanced_accuracy:.2f}%',
    f'classification loss  {results.classification_loss:.5f}',
    f'reconstruction loss  {results.reconstruction_loss:.3f}',
    '',
    'confusion matrix (rows: true class, columns: predicted), recall',
  ]
  width = max(4, *(len(str(n)) for row in results.confusion for n in row)) + 1
  header = ''.join(f'{k:{width}}' for k in range(dataset.num_classes))
  names = [
    f'{k}' if name == f'{k}' else f'{k} {name}'
    for k, name in enumerate(dataset.class_names)
  ]
  margin = max(4, *map(len, names))
  lines.append(f'{"":{margin}} {header}')
  for name, row, recall in zip(
    names, results.confusion, results.class_recall, strict=True
  ):
    counts = ''.join(f'{n:{width}}' for n in row)
    told = '      –' if recall is None else f'{100 * recall:6.2f}%'
    lines.append(f'{name:{margin}} {counts}   {told}')
  return '\n'.join(lines)
