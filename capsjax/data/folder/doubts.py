"""Warns of pictures that were read, but may not be what the user thinks."""

import logging
import pathlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from capsjax.data.fingerprints import fingerprints
from capsjax.data.folder.names import name_some
from capsjax.data.folder.pictures import Pictures


def is_blank(images: UInt8[np.ndarray, 'n h w c']) -> Bool[np.ndarray, ' n']:
  """Returns whether each picture shows a single colour."""
  return np.all(images.max((1, 2)) == images.min((1, 2)), axis=-1)


def warn_of_blank(
  names: Sequence[str], pictures: Pictures, root: pathlib.Path
) -> None:
  """Logs how many pictures show a single colour, and why they may.

  Args:
    names: the files of the pictures.
    pictures: the pictures.
    root: the folder or archive that holds them.
  """
  found = is_blank(pictures.images)
  blank = sorted(n for n, is_so in zip(names, found, strict=True) if is_so)
  if not blank:
    return
  advice = ''
  if pictures.is_transparent[found].any():
    advice = (
      '; if they were drawn in that colour on a transparent background, set'
      ' --config.images.background, 0 for black to 255 for white'
    )
  logging.getLogger(__name__).warning(
    '%d of %d pictures in %s show a single colour: %s%s',
    *(len(blank), len(names), root, name_some(blank), advice),
  )


def warn_of_repeated(
  train: UInt8[np.ndarray, 'n h w c'],
  test: UInt8[np.ndarray, 'm h w c'],
  names: Sequence[str],
  root: pathlib.Path,
) -> None:
  """Logs how many test pictures are training pictures too.

  Args:
    train: the training pictures.
    test: the test pictures.
    names: the files of the test pictures.
    root: the folder or archive that holds them.
  """
  is_known = np.isin(fingerprints(test), fingerprints(train))
  known = [name for name, is_so in zip(names, is_known, strict=True) if is_so]
  if known:
    logging.getLogger(__name__).warning(
      '%d of %d test pictures in %s are also training pictures, pixel by pixel:'
      ' %s; the test error is too low',
      *(len(known), len(names), root, name_some(known)),
    )
