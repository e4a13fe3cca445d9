"""Numbers the classes of a data set as another one does."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from capsjax.data.dataset import ARRAYS, Dataset, Split
from capsjax.errors import UserError


def match_classes(dataset: Dataset, class_names: tuple[str, ...]) -> Dataset:
  """Numbers the classes of a data set as other data do, by their names.

  Args:
    dataset: the data set, which is not modified. Arrays without names are taken
      to be numbered like the other data.
    class_names: the names of the classes of the other data, in their order.

  Returns:
    The data set with these class names and the labels that belong to them.

  Raises:
    UserError: if the data set has other classes.

  Examples:
    Data whose classes are numbered in another order:

    >>> import numpy as np
    >>> from capsjax import dataset_from_arrays
    >>> from capsjax.data import match_classes
    >>> pictures = np.zeros((2, 28, 28)), np.array([0, 1])
    >>> dataset = dataset_from_arrays(
    ...   pictures, pictures, class_names=('cat', 'dog')
    ... )
    >>> match_classes(dataset, ('dog', 'cat')).test.labels
    array([1, 0], dtype=int32)
  """
  own = dataset.class_names
  if own == class_names:
    return dataset
  numbers = np.arange(len(own), dtype=np.int32)
  is_unnamed = dataset.name == ARRAYS and own == tuple(map(str, numbers))
  if not is_unnamed or len(own) != len(class_names):
    _require_same(own, class_names, dataset.name)
    numbers = np.array([class_names.index(name) for name in own], np.int32)
  changes: dict[str, Any] = {
    name: Split(split.images, numbers[split.labels])
    for name, split in dataset.splits.items()
  }
  return dataclasses.replace(dataset, class_names=class_names, **changes)


def _require_same(
  own: Sequence[str], class_names: Sequence[str], source: str
) -> None:
  unknown = [name for name in own if name not in class_names]
  lacking = [name for name in class_names if name not in own]
  if not unknown and not lacking and len(own) == len(class_names):
    return
  told = [
    f'{verb} {", ".join(names[:5])}{" and others" if names[5:] else ""}'
    for verb, names in (('has', unknown), ('lacks', lacking))
    if names
  ]
  raise UserError(
    f'{source} has other classes than the run was trained on: it '
    f'{" and ".join(told) or "has a name twice"}; use data with the same'
    ' classes, or rename them'
  )
