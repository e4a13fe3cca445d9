"""What a run keeps of its data set, for whoever does not have the data."""

import json
from pathlib import Path

import numpy as np

from capsjax.data import Dataset, Split
from capsjax.errors import UserError

FILE_NAME = 'dataset.json'


def save(dataset: Dataset, workdir: Path) -> None:
  """Writes the classes and the shape of the images into the folder of a run."""
  content = {
    'name': dataset.name,
    'class_names': dataset.class_names,
    'image_shape': dataset.image_shape,
    'train_size': len(dataset.train),
  }
  partial = workdir / f'{FILE_NAME}.partial'
  partial.write_text(json.dumps(content, indent=2) + '\n', encoding='utf-8')
  partial.replace(workdir / FILE_NAME)


def load(workdir: Path) -> Dataset | None:
  """A stand-in for the data set of a run: black images that take no memory.

  Args:
    workdir: the folder of the run.

  Returns:
    The data set; None if the run has no such file.

  Raises:
    UserError: if the file is damaged.
  """
  path = workdir / FILE_NAME
  if not path.exists():
    return None
  try:
    found = json.loads(path.read_text(encoding='utf-8'))
    shape = (found['train_size'], *found['image_shape'])
    black = Split(
      np.broadcast_to(np.uint8(0), shape), np.zeros(shape[0], np.int32)
    )
    names = tuple(found['class_names'])
    return Dataset(found['name'], black, black, black, len(names), names)
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(
      f'{path} is damaged: delete it, and the data are read instead'
    ) from error
