"""The command `predict`: classifies the user's own pictures."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from capsjax import console
from capsjax.data import Look
from capsjax.data.folder.doubts import is_blank
from capsjax.data.folder.names import name_some
from capsjax.data.folder.pictures import read_pictures
from capsjax.data.folder.source import find_files
from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import load_dataset_file, load_look
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun


def run(
  config: Config,
  workdir: Path,
  *,
  checkpoint_name: str,
  output: Path,
  pictures: Sequence[Path],
) -> Path:
  """Classifies pictures, prints the result and writes `predictions.json`.

  The training data are not needed if the folder of the run has a
  `dataset.json`.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.
    pictures: files of the kinds that `load_folder` reads, and folders of them.
      Each is resized, as there, to the size that the network was trained on;
      transparent pixels get the background of the training images.

  Returns:
    The path of `predictions.json`, which holds the score of each class for
    each picture: the length of the class capsule, or a baseline's logit.

  Raises:
    UserError: if there is no such run or checkpoint, or if a picture or
      `dataset.json` cannot be read.
  """
  trained = TrainedRun.open(
    workdir,
    config=config,
    checkpoint_name=checkpoint_name,
    dataset=load_dataset_file(RunFolder(workdir)),
  )
  height, width, channels = trained.image_shape
  if channels not in (1, 3):
    raise UserError(
      f'the network was trained on images of {channels} channels, but pictures '
      'have 1 or 3; use capsjax.load in a script'
    )
  look = _look(trained)
  source = find_files(pictures)
  names = list(source.names())
  images = read_pictures(
    source,
    names,
    size=(height, width),
    channels=channels,
    background=look.background if look else (0,),
  ).images
  _warn_of_doubtful(names, images, look, trained)
  scores = trained.scores(images)
  named = dict(zip(names, scores.tolist(), strict=True))
  class_names = trained.experiment.dataset.class_names
  print(_table(named, class_names, trained.experiment.examples.num_objects))
  path = RunFolder(output).predictions
  write_file(path, _record(named, class_names, trained.step))
  console.say(f'written to {path}')
  return path


def _record(
  scores: dict[str, list[float]], class_names: Sequence[str], step: int
) -> str:
  """Returns the text of `predictions.json`."""
  record = {
    'step': step,
    'scores': {
      name: dict(zip(class_names, of_picture, strict=True))
      for name, of_picture in scores.items()
    },
  }
  return json.dumps(record, indent=2) + '\n'


def _look(trained: TrainedRun) -> Look | None:
  """Returns the look of the training images; None if it was not recorded."""
  if trained.has_data:
    return Look.of(trained.experiment.dataset)
  return load_look(trained.folder)


def _warn_of_doubtful(
  names: Sequence[str],
  images: UInt8[np.ndarray, 'n h w c'],
  look: Look | None,
  trained: TrainedRun,
) -> None:
  """Warns of pictures unlike any training image, such as inverted ones."""
  _warn(
    names,
    is_blank(images),
    'show a single colour; what is drawn on a transparent background needs '
    'another colour than that of the training images',
  )
  # Images of a run on pairs are larger than its training images.
  if look and images.shape[1:] == trained.experiment.dataset.image_shape:
    _warn(
      names,
      look.is_far(images),
      'do not resemble the training images, whose mean brightness is '
      f'{100 * look.mean.mean():.0f}%; are light and dark swapped?',
    )


def _warn(
  names: Sequence[str], is_doubtful: Bool[np.ndarray, ' n'], problem: str
) -> None:
  found = [
    name for name, is_so in zip(names, is_doubtful, strict=True) if is_so
  ]
  if found:
    logging.getLogger(__name__).warning(
      '%d of %d pictures %s (%s)',
      *(len(found), len(names), problem, name_some(found)),
    )


def _table(
  scores: dict[str, list[float]], class_names: Sequence[str], num_objects: int
) -> str:
  """Formats a line per picture: its classes, then the runner-up."""
  rows = []
  for name, of_picture in scores.items():
    order = np.argsort(-np.array(of_picture), kind='stable')[: num_objects + 1]
    words = [f'{class_names[k]} {of_picture[k]:.2f}' for k in order]
    rows.append((name, ', '.join(words[:-1]), words[-1]))
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return '\n'.join(
    f'{name:{widths[0]}}  {first:{widths[1]}}  (then {then})'
    for name, first, then in rows
  )
