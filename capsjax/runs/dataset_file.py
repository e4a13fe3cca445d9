"""A run's record of its data set: `dataset.json`.

With it, a resumed run can check that the data are the same, other data get the
same class numbers, and predictions need no data.
"""

import json
from typing import Any

import numpy as np

from capsjax.data import Dataset, Look, Split, match_classes
from capsjax.errors import UserError
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder
from capsjax.runs.known_images import save_fingerprints


def save_dataset_file(dataset: Dataset, folder: RunFolder) -> None:
  """Writes the classes, the shape and the look of the images, and which."""
  found = _describe(dataset) | {'look': Look.of(dataset).to_json()}
  # One line for each value, since the look has many numbers.
  lines = [f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in found.items()]
  write_file(folder.dataset, '{\n' + ',\n'.join(lines) + '\n}\n')
  save_fingerprints(dataset, folder)


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
  if not is_same_dataset(dataset, folder):
    raise UserError(
      f'{folder} holds a run on other data, which its {folder.dataset.name} '
      'describes; '
      'choose another --workdir, or set --config.data_dir to those data'
    )


def is_same_dataset(dataset: Dataset, folder: RunFolder) -> bool:
  """Returns whether data may be those of a run.

  Args:
    dataset: the data.
    folder: a folder that may hold a run.

  Returns:
    False if the classes, the number of training images of a class, or the image
    shape differ. True if the record is missing or damaged.
  """
  try:
    text = folder.dataset.read_text(encoding='utf-8')
    found = dict(json.loads(text))
  except (OSError, TypeError, ValueError):
    return True
  now = _describe(dataset)
  return all(found[name] == now[name] for name in found.keys() & now.keys())


def with_classes_of(folder: RunFolder, dataset: Dataset) -> Dataset:
  """Numbers the classes of a data set as a run does.

  Args:
    folder: the folder of the run.
    dataset: the data set.

  Returns:
    The data set; as it is if the run has no `dataset.json`.

  Raises:
    UserError: if the data set has other classes, or the file is damaged.
  """
  found = _read(folder)
  if found is None:
    return dataset
  return match_classes(dataset, tuple(found['class_names']))


def load_look(folder: RunFolder) -> Look | None:
  """Returns what the training images of a run look like.

  Args:
    folder: the folder of the run.

  Returns:
    The look, or None if the run is older than such records.

  Raises:
    UserError: if `dataset.json` is damaged.
  """
  found = _read(folder)
  if found is None or 'look' not in found:
    return None
  try:
    return Look.from_json(found['look'])
  except (KeyError, TypeError, ValueError) as error:
    raise _damage(folder) from error


def load_dataset_file(folder: RunFolder) -> Dataset | None:
  """Returns a stand-in for the data of a run: black images, no memory.

  Args:
    folder: the folder of the run.

  Returns:
    The data set, or None if the run has no `dataset.json`. Its labels are
    those of the training images, in order.

  Raises:
    UserError: if the file is damaged.
  """
  found = _read(folder)
  if found is None:
    return None
  try:
    sizes, names = found['class_sizes'], tuple(found['class_names'])
    shape = (sum(sizes), *found['image_shape'])
    labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    black = Split(np.broadcast_to(np.uint8(0), shape), labels)
    return Dataset(found['name'], black, black, black, len(names), names)
  except (KeyError, TypeError, ValueError, UserError) as error:
    raise _damage(folder) from error


def _read(folder: RunFolder) -> dict[str, Any] | None:
  """Returns what the file holds, or None if there is no file."""
  if not folder.dataset.exists():
    return None
  try:
    found = json.loads(folder.dataset.read_text(encoding='utf-8'))
    return {'class_names': found['class_names']} | found
  except (KeyError, TypeError, ValueError) as error:
    raise _damage(folder) from error


def _damage(folder: RunFolder) -> UserError:
  return UserError(
    f'{folder.dataset} is damaged: delete it, and the data are read instead'
  )
