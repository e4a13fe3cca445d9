"""Finds the split and class of each picture from the files' paths."""

import dataclasses
import pathlib
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from capsjax.data.folder.names import is_ignored, is_picture, name_some
from capsjax.data.folder.picture import KINDS
from capsjax.errors import UserError

_SPLITS = {
  'train': 'train',
  'test': 'test',
  'val': 'validation',
  'validation': 'validation',
}
# Names of pictures by folder; '' is the outermost folder.
_Folders = Mapping[str, Sequence[str]]


class Picture(NamedTuple):
  """A picture's file and label.

  Attributes:
    name: path relative to the outermost folder, with '/' between its parts.
    label: index of its class in `class_names`.
  """

  name: str
  label: int


@dataclasses.dataclass(frozen=True)
class Layout:
  """The classes, and the pictures of each split.

  Attributes:
    class_names: sorted by code points.
    splits: the pictures of each split, sorted by class and name, in the order
      'train', 'test' (absent if it must be drawn from 'train'), and
      'validation' if there is one.
  """

  class_names: tuple[str, ...]
  splits: Mapping[str, Sequence[Picture]]


def arrange(names: Iterable[str], *, root: pathlib.Path) -> Layout:
  """Finds the splits and classes that `load_folder` describes.

  Args:
    names: paths of files and folders; those of folders end in '/' and may be
      omitted unless the folder is empty.
    root: the folder or archive that holds them, for error messages.

  Returns:
    The layout.

  Raises:
    UserError: the files are not arranged as `load_folder` describes.
  """
  folders = _group(names)
  if not any(folders.values()):
    raise UserError(
      f'there are no pictures ({KINDS}) in {root}: set data_dir to a folder'
      ' that holds one folder of them per class'
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
  """Groups the sorted names of pictures by folder, keeping empty folders."""
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
  # Archives often wrap everything in one folder.
  while (
    len(children) == 1
    and not folders[children[0]]
    and posixpath.basename(children[0]) not in _SPLITS
  ):
    top, children = children[0], _children(folders, children[0])
  found = [name for name in children if posixpath.basename(name) in _SPLITS]
  # 'train' may also be a class, beside 'bus' and 'plane'.
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
      ' it, with one folder of pictures per class'
    )
  if 'test' not in splits and 'validation' not in splits:
    raise UserError(
      f'{root} has the folder train, but no folder test: add it, or move the'
      ' class folders out of train, directly into data_dir, to have a random'
      ' test split drawn from them'
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
      f'there are no pictures ({KINDS}) in {name_some(empty)} of {root}: add'
      ' pictures of the class, or remove the folder'
    )
  for split, of_split in classes.items():
    strange = sorted(set(of_split) - set(classes['train']))
    if strange:
      raise UserError(
        f'{root} has the class {name_some(strange)} in {split}, but not in'
        ' train: add training pictures of it, or move it away'
      )
  class_names = list(classes['train'])
  if len(class_names) < 2:
    raise UserError(
      f'{root} has no class folder other than {name_some(class_names)}, but'
      ' classification needs at least two: add another one'
    )
