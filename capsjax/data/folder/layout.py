"""Tells by the names of files which split and class a picture belongs to."""

import dataclasses
import pathlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from capsjax.errors import UserError

_SUFFIXES = ('.jpeg', '.jpg', '.png')
_SPLITS = {
  'train': 'train',
  'test': 'test',
  'val': 'validation',
  'validation': 'validation',
}
# Names of pictures by the folder that they lie in; '' is the outermost.
_Folders = Mapping[str, Sequence[str]]


class Picture(NamedTuple):
  """A picture's file.

  Attributes:
    name: the path from the outermost folder, with '/' between its parts.
    label: the place of its class among the names of the classes.
  """

  name: str
  label: int


@dataclasses.dataclass(frozen=True)
class Layout:
  """What belongs where.

  Attributes:
    class_names: in the order of code points.
    splits: 'train', then 'test' unless it must be drawn from that, then
      perhaps 'validation': the pictures of each, in order of class and name.
  """

  class_names: tuple[str, ...]
  splits: Mapping[str, Sequence[Picture]]


def is_picture(name: str) -> bool:
  """Whether a file's name is that of a PNG or JPEG file."""
  return name.lower().endswith(_SUFFIXES)


def is_ignored(part: str) -> bool:
  """Whether a file or folder of this name, and all below it, is left out.

  These are hidden ones, such as .DS_Store, and what macOS adds to archives.
  """
  return part.startswith('.') or part == '__MACOSX'


def name_some(names: Sequence[str]) -> str:
  """The first three of some names, and how many more there are."""
  more = f' and {len(names) - 3:,} more' if len(names) > 3 else ''
  return ', '.join(names[:3]) + more


def arrange(names: Iterable[str], *, root: pathlib.Path) -> Layout:
  """Finds splits and classes, as `load_folder` describes them.

  Args:
    names: paths of files, and of folders with a '/' at the end, which may be
      left out unless they are empty.
    root: where they lie, for messages.

  Returns:
    The layout.

  Raises:
    UserError: the files do not lie in this order.
  """
  folders = _group(names)
  if not any(folders.values()):
    raise UserError(
      f'there are no PNG or JPEG files in {root}: name in data_dir what holds'
      ' one folder of them for each class'
    )
  classes = {
    split: {posixpath.basename(name): name for name in _children(folders, top)}
    for split, top in _find_splits(folders, root).items()
  }
  _check(classes, folders, root)
  class_names = tuple(sorted(classes['train']))
  return Layout(
    class_names,
    {
      split: [
        Picture(name, label)
        for label, class_name in enumerate(class_names)
        if class_name in of_split
        for name in folders[of_split[class_name]]
      ]
      for split, of_split in classes.items()
    },
  )


def _group(names: Iterable[str]) -> _Folders:
  """Groups names of pictures, sorted, by folder; empty folders are there."""
  folders: dict[str, list[str]] = {'': []}
  for name in sorted(set(names)):
    if any(map(is_ignored, name.split('/'))):
      continue
    folder, file = posixpath.split(name)
    while folder not in folders:
      folders[folder] = []
      folder = posixpath.dirname(folder)
    if is_picture(file):
      folders[posixpath.dirname(name)].append(name)
  return folders


def _children(folders: _Folders, parent: str) -> list[str]:
  return [
    name for name in folders if name and posixpath.dirname(name) == parent
  ]


def _find_splits(folders: _Folders, root: pathlib.Path) -> dict[str, str]:
  """Returns the folder that holds the class folders of each split."""
  top, children = '', _children(folders, '')
  # Archives often have one folder around everything.
  while (
    len(children) == 1
    and not folders[children[0]]
    and posixpath.basename(children[0]) not in _SPLITS
  ):
    top, children = children[0], _children(folders, children[0])
  found = [name for name in children if posixpath.basename(name) in _SPLITS]
  # There may be a class 'train', beside 'bus' and 'plane'.
  has_class_folders = any(_children(folders, name) for name in found)
  if found and (has_class_folders or found == children):
    return _named_splits(found, root)
  return {'train': top}


def _named_splits(found: Sequence[str], root: pathlib.Path) -> dict[str, str]:
  by_name = {posixpath.basename(folder): folder for folder in found}
  splits = {_SPLITS[name]: by_name[name] for name in _SPLITS if name in by_name}
  if len(splits) < len(found):
    raise UserError(
      f'{root} has both folders val and validation: move one of them away'
    )
  if 'train' not in splits:
    raise UserError(
      f'{root} has the folder {" and ".join(by_name)}, but no folder train: add'
      ' it, with one folder of pictures for each class'
    )
  if 'test' not in splits and 'validation' not in splits:
    raise UserError(
      f'{root} has the folder train, but no folder test: add it, or drop the'
      ' level train, so that data_dir holds the class folders themselves and a'
      ' part of each class is drawn as the test'
    )
  if 'test' not in splits:
    splits['test'] = splits.pop('validation')
  return splits


def _check(
  classes: Mapping[str, Mapping[str, str]],
  folders: _Folders,
  root: pathlib.Path,
) -> None:
  inside = {name for split in classes.values() for name in split.values()}
  outside = [
    n for f, names in folders.items() if f not in inside for n in names
  ]
  if outside:
    raise UserError(
      f'there are pictures outside the class folders of {root}:'
      f' {name_some(outside)}; move them into CLASS/, or into train/CLASS/ and'
      ' test/CLASS/, or move them away'
    )
  empty = [name for name in sorted(inside) if not folders[name]]
  if empty:
    raise UserError(
      f'there are no PNG or JPEG files in {name_some(empty)} of {root}: add'
      ' pictures of the class, or remove the folder'
    )
  for split, of_split in classes.items():
    strange = sorted(set(of_split) - set(classes['train']))
    if strange:
      raise UserError(
        f'{root} has the class {name_some(strange)} in {split}, but not in'
        ' train: add pictures there to learn it from, or move it away'
      )
  class_names = list(classes['train'])
  if len(class_names) < 2:
    raise UserError(
      f'{root} has no other class folder than {name_some(class_names)}, but'
      ' classes are told apart: add another one'
    )
