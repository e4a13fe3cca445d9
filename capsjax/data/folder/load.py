"""A data set of pictures that lie in one folder for each class."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from capsjax.data.dataset import Dataset, Split
from capsjax.data.folder.layout import Picture, arrange
from capsjax.data.folder.pictures import read_pictures
from capsjax.data.folder.source import find_source
from capsjax.errors import UserError


def load_folder(
  *,
  data_dir: str | os.PathLike[str] | None,
  image_size: int = 0,
  channels: int = 0,
  test_share: float = 0.2,
  seed: int = 0,
) -> Dataset:
  """Loads pictures that lie in one folder for each class.

  There are class folders, of which a test is drawn, or the folders `train`,
  `test` and perhaps `val` (or `validation`) that hold the class folders; `val`
  is the test where there is no `test`. The classes are train's folders in the
  order of their names. Hidden files, files that are not named .png, .jpg or
  .jpeg, and a single folder around everything do not matter; but a picture
  outside the class folders is an error, for it would be lost without a word.

  The test drawn holds `test_share` of each class, rounded, and at least one
  picture of each class lies in each part. Which ones depends on the seed,
  `test_share` and the names of the classes and files, and on nothing else: a
  folder and an archive of it are split alike.

  Pictures are turned upright as their EXIF says. What is transparent is laid
  on black, 16 bits of grey are scaled to 8, and of an animation the first
  picture counts.

  Args:
    data_dir: the folder, a `.tar`, `.tar.gz`, `.tgz` or `.zip` of it (read
      without being unpacked), or a folder that holds one such archive and no
      pictures.
    image_size: pictures become squares of this side in pixels: their shorter
      side is scaled to it by an antialiasing Lanczos filter, and the centre
      is cut out. 0 leaves them; they must then have one size.
    channels: 3 makes all pictures coloured, 1 grey (ITU-R 601 luma), 0 grey if
      all their files are grey, else coloured. Files with a palette are
      coloured.
    test_share: of each class, for the test, between 0 and 1; of no effect
      where there are `train` and `test`.
    seed: chooses the test.

  Returns:
    The data set 'folder', ordered by class and by file name, both in the order
    of code points. Bytes of their names that are not UTF-8 are written in
    hexadecimal.

  Raises:
    UserError: the folder or archive is missing or damaged or holds no pictures
      in this order, there are fewer than two classes, a class has no pictures
      or is in the test only, pictures cannot be read or differ in size, or an
      argument is out of range.
  """
  if not data_dir:
    raise UserError(
      'there is no folder to read: name the one that holds your pictures,'
      ' --config.data_dir=FOLDER'
    )
  _check_arguments(image_size, channels, test_share)
  source = find_source(data_dir)
  layout = arrange(source.names(), root=source.path)
  splits = dict(layout.splits)
  if 'test' not in splits:
    rng = np.random.default_rng(seed)
    splits |= _draw_test(splits['train'], test_share, rng, source.path)
  images = read_pictures(
    source,
    [picture.name for split in splits.values() for picture in split],
    image_size=image_size,
    channels=channels,
  )
  parts = _cut(images, splits)
  return Dataset(
    name='folder',
    train=parts['train'],
    test=parts['test'],
    validation=parts.get('validation'),
    num_classes=len(layout.class_names),
    class_names=tuple(map(_readable, layout.class_names)),
  )


def _readable(name: str) -> str:
  """The name of a folder as text, even if it was not written as UTF-8."""
  return os.fsencode(name).decode('utf-8', 'backslashreplace')


def _cut(
  images: np.ndarray, splits: Mapping[str, Sequence[Picture]]
) -> dict[str, Split]:
  """Cuts up the images, which come split by split, without copying them."""
  ends = np.cumsum([len(pictures) for pictures in splits.values()])
  return {
    name: Split(part, np.array([p.label for p in pictures], np.int32))
    for (name, pictures), part in zip(
      splits.items(), np.split(images, ends[:-1]), strict=True
    )
  }


def _check_arguments(image_size: int, channels: int, test_share: float) -> None:
  if image_size < 0:
    raise UserError(
      f'image_size is {image_size}, but must be the side of the images in'
      ' pixels, or 0 to leave them'
    )
  if channels not in (0, 1, 3):
    raise UserError(
      f'channels is {channels}, but must be 1 for grey, 3 for colour, or 0 to'
      ' leave the pictures as they are'
    )
  if not 0 < test_share < 1:
    raise UserError(
      f'test_share is {test_share}, but must lie between 0 and 1: both parts'
      ' need pictures'
    )


def _draw_test(
  pictures: Sequence[Picture],
  test_share: float,
  rng: np.random.Generator,
  root: pathlib.Path,
) -> dict[str, list[Picture]]:
  """Splits pictures, sorted by class and name, into train and test."""
  labels = np.array([picture.label for picture in pictures])
  is_test = np.zeros(len(pictures), bool)
  for label in np.unique(labels):
    places = np.flatnonzero(labels == label)
    if len(places) < 2:
      raise UserError(
        f'{pictures[places[0]].name} in {root} is the only picture of its'
        ' class, but one is needed to learn from and one for the test: add'
        ' pictures'
      )
    size = min(max(round(test_share * len(places)), 1), len(places) - 1)
    is_test[rng.permutation(places)[:size]] = True
  return {
    'train': [
      p for p, chosen in zip(pictures, is_test, strict=True) if not chosen
    ],
    'test': [p for p, chosen in zip(pictures, is_test, strict=True) if chosen],
  }
