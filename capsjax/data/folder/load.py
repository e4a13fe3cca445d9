"""Loads a data set from pictures in one folder per class."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from capsjax.data.dataset import Dataset, Split
from capsjax.data.folder.doubts import warn_of_blank, warn_of_repeated
from capsjax.data.folder.layout import Picture, arrange
from capsjax.data.folder.names import readable, warn_of_skipped
from capsjax.data.folder.picture import Size
from capsjax.data.folder.pictures import Pictures, read_pictures
from capsjax.data.folder.source import Source, find_source
from capsjax.errors import UserError


def load_folder(
  *,
  data_dir: str | os.PathLike[str] | None,
  image_size: int | tuple[int, int] = 0,
  channels: int = 0,
  background: int = 0,
  test_share: float = 0.2,
  seed: int = 0,
) -> Dataset:
  """Loads pictures from one folder per class.

  If the class folders lie directly in `data_dir`, a random test split is drawn
  from them. Otherwise, folders `train`, `test` and optionally `val` (or
  `validation`) hold the class folders; without `test`, `val` is the test split.
  The classes are the folders of the training split, sorted by name. Hidden
  files and a single folder around everything are ignored. A picture outside the
  class folders is an error, as it would be silently lost.

  PNG, JPEG, WebP, GIF, BMP and TIFF files are read. Warnings are logged that
  count files of other kinds, which are skipped; test pictures that are also
  training pictures; and pictures of a single colour.

  A random test split holds `test_share` of each class, rounded, and both splits
  get at least one picture of each class. The choice depends only on the seed,
  `test_share` and the names of the classes and files, so a folder and an
  archive of it are split alike.

  Pictures are turned upright according to their EXIF data. Transparent pixels
  are blended with the background, 16-bit grey is scaled to 8 bits, and of
  several frames or pages only the first is read.

  Args:
    data_dir: the folder, or an archive of it (`.tar`, `.tar.gz`, `.tgz` or
      `.zip`, read without unpacking), or a folder that holds one such archive
      and no pictures.
    image_size: height and width of the images in pixels, or one number for
      squares: a picture is scaled by an antialiasing Lanczos filter until it
      just covers them, and its centre is cut out. 0 keeps the pictures' size,
      which must then be the same for all.
    channels: 3 converts all pictures to colour, 1 to grey (ITU-R 601 luma); 0
      gives grey if all files are grey, else colour. WebP files and files with a
      palette count as colour.
    background: the grey level behind transparent pixels, from 0 (black) to 255
      (white).
    test_share: share of each class in a random test split, between 0 and 1;
      ignored if there are folders for the splits.
    seed: chooses the random test split.

  Returns:
    The data set 'folder', sorted by class and file name, both by code points.
    Bytes of class names that are not UTF-8 are written in hexadecimal.

  Raises:
    UserError: the folder or archive is missing or damaged or does not hold
      pictures arranged in this way, there are fewer than two classes, a class
      has no pictures or no training pictures, pictures cannot be read or differ
      in size, or an argument is out of range.
  """
  if not data_dir:
    raise UserError(
      'there is no folder to read: name the one that holds your pictures with'
      ' --config.data_dir=FOLDER'
    )
  _check_arguments(channels, background, test_share)
  size = _height_and_width(image_size)
  source = find_source(data_dir)
  found = list(source.names())
  layout = arrange(found, root=source.path)
  warn_of_skipped(found, source.path)
  splits = dict(layout.splits)
  if 'test' not in splits:
    rng = np.random.default_rng(seed)
    splits |= _draw_test(splits['train'], test_share, rng, source.path)
  pictures = _read(
    source, splits, size=size, channels=channels, background=background
  )
  parts = _cut(pictures.images, splits)
  is_transparent = pictures.is_transparent[: len(parts['train'])].any()
  channels = pictures.images.shape[-1]
  return Dataset(
    name='folder',
    train=parts['train'],
    test=parts['test'],
    validation=parts.get('validation'),
    num_classes=len(layout.class_names),
    class_names=tuple(map(readable, layout.class_names)),
    background=(background,) * channels if is_transparent else (),
  )


def _read(
  source: Source,
  splits: Mapping[str, Sequence[Picture]],
  *,
  size: Size,
  channels: int,
  background: int,
) -> Pictures:
  """Reads the pictures of all splits, and warns of doubtful ones."""
  names = [picture.name for split in splits.values() for picture in split]
  pictures = read_pictures(
    source, names, size=size, channels=channels, background=(background,)
  )
  warn_of_blank(names, pictures, source.path)
  first = len(splits['train'])
  test = slice(first, first + len(splits['test']))
  images = pictures.images
  warn_of_repeated(images[:first], images[test], names[test], source.path)
  return pictures


def _cut(
  images: np.ndarray, splits: Mapping[str, Sequence[Picture]]
) -> dict[str, Split]:
  """Divides the images, which are ordered by split, without copying them."""
  ends = np.cumsum([len(pictures) for pictures in splits.values()])
  return {
    name: Split(part, np.array([p.label for p in pictures], np.int32))
    for (name, pictures), part in zip(
      splits.items(), np.split(images, ends[:-1]), strict=True
    )
  }


def _height_and_width(image_size: int | tuple[int, int]) -> Size:
  """Returns the size of the images; None to keep that of the pictures."""
  if image_size == 0:
    return None
  sides = (image_size,) * 2 if isinstance(image_size, int) else image_size
  if len(sides) != 2 or min(sides) < 1:
    raise UserError(
      f'image_size is {image_size}, but must be the side of square images in'
      ' pixels, height and width such as (20, 30), or 0 to keep their size'
    )
  height, width = sides
  return height, width


def _check_arguments(channels: int, background: int, test_share: float) -> None:
  if channels not in (0, 1, 3):
    raise UserError(
      f'channels is {channels}, but must be 1 for grey, 3 for colour, or 0 to'
      ' keep the pictures as they are'
    )
  if not 0 <= background <= 255:
    raise UserError(
      f'background is {background}, but must be a grey level from 0 (black) to'
      ' 255 (white)'
    )
  if not 0 < test_share < 1:
    raise UserError(
      f'test_share is {test_share}, but must lie between 0 and 1: both splits'
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
        ' class, but one is needed for training and one for the test: add'
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
