"""A run's record of its training images: which test images it has seen."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from capsjax.data import Dataset, fingerprints
from capsjax.files import write_file
from capsjax.runs.folder import RunFolder


def save_fingerprints(dataset: Dataset, folder: RunFolder) -> None:
  """Writes the fingerprints of the training images, 8 bytes for each."""
  found = np.sort(fingerprints(dataset.train.images))

  def write(file: Any) -> None:
    np.save(file, found, allow_pickle=False)

  write_file(folder.fingerprints, write)


def count_known(
  images: UInt8[np.ndarray, 'n h w c'], folder: RunFolder
) -> int | None:
  """Counts the images that a run was trained on.

  Args:
    images: other images of the same size.
    folder: the folder of the run.

  Returns:
    The number of images whose pixels equal those of a training image; None if
    the run is older than such records, or they are damaged.
  """
  try:
    known = np.load(folder.fingerprints, allow_pickle=False)
  except (OSError, ValueError, EOFError):
    return None
  return int(np.isin(fingerprints(images), known).sum())
