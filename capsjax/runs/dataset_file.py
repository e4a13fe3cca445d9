"""What a run keeps of its data set, to know it again or do without it."""

import json
from typing import Any

import numpy as np

from capsjax.data import Dataset, Split
from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


def save_dataset_file(dataset: Dataset, folder: RunFolder) -> None:
  """Writes the classes and the shape of the images into the folder of a run."""
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
  """Refuses to continue a run with data that are plainly others.

  They may lie in another folder than before, or come in another order.

  Args:
    dataset: the data of now.
    folder: perhaps with a run in it.

  Raises:
    UserError: if the classes, the number of training images of one, or the
      shape of the images differ.
  """
  try:
    text = folder.dataset.read_text(encoding='utf-8')
    found = dict(json.loads(text))
  except (OSError, TypeError, ValueError):
    return  # There is none, or a damaged one, which is written anew.
  now = _describe(dataset)
  if any(found[name] != now[name] for name in found.keys() & now.keys()):
    raise UserError(
      f'{folder} holds a run on other data: its {folder.dataset.name} tells '
      'which; '
      'choose another --workdir, or name those data in --config.data_dir'
    )


def load_dataset_file(folder: RunFolder) -> Dataset | None:
  """A stand-in for the data set of a run: black images that take no memory.

  Args:
    folder: that of the run.

  Returns:
    The data set; None if the run has no such file.

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
