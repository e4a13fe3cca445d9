"""A run's record of its data set: `dataset.json`.

With it, a resumed run can check that the data are the same, and predictions
need no data.
"""

import json
from typing import Any

import numpy as np

from capsjax.data import Dataset, Split
from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


def save_dataset_file(dataset: Dataset, folder: RunFolder) -> None:
  """Writes the classes and the image shape into the folder of a run."""
  text = json.dumps(_describe(dataset), indent=2) + '\n'
  write_file(folder.dataset, text)


def _describe(dataset: Dataset) -> dict[str, Any]:
  sizes = np.bincount(dataset.train.labels, minlength=dataset.num_classes)
  return {
    'name': dataset.name,
    'class_names': list(dataset.class_names),
    'class_sizes': sizes.tolist(),
    'image_shape': list(dataset.image_shape),
  }


def require_same_dataset(dataset: Dataset, folder: RunFolder) -> None:
  """Refuses to resume a run with data that are clearly different.

  The data may have moved to another folder or come in another order.

  Args:
    dataset: the data to train on.
    folder: a folder that may hold a run.

  Raises:
    UserError: if the classes, the number of training images of a class, or the
      image shape differ.
  """
  try:
    text = folder.dataset.read_text(encoding='utf-8')
    found = dict(json.loads(text))
  except (OSError, TypeError, ValueError):
    return  # The file is missing or damaged and will be written anew.
  now = _describe(dataset)
  if any(found[name] != now[name] for name in found.keys() & now.keys()):
    raise UserError(
      f'{folder} holds a run on other data, which its {folder.dataset.name} '
      'describes; '
      'choose another --workdir, or set --config.data_dir to those data'
    )


def load_dataset_file(folder: RunFolder) -> Dataset | None:
  """Returns a stand-in for the data of a run: black images, no memory.

  Args:
    folder: the folder of the run.

  Returns:
    The data set, or None if the run has no `dataset.json`.

  Raises:
    UserError: if the file is damaged.
  """
  path = folder.dataset
  if not path.exists():
    return None
  try:
    found = json.loads(path.read_text(encoding='utf-8'))
    shape = (sum(found['class_sizes']), *found['image_shape'])
    black = Split(
      np.broadcast_to(np.uint8(0), shape), np.zeros(shape[0], np.int32)
    )
    names = tuple(found['class_names'])
    return Dataset(found['name'], black, black, black, len(names), names)
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'{path} is damaged: delete it, and the data are read instead'
    ) from error
