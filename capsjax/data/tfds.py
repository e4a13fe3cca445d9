"""Reads image-classification data sets from TensorFlow Datasets (TFDS).

Data sets prepared as array_record are read without TensorFlow. Decoding takes
seconds to minutes, so the decoded arrays are cached beside the records.
"""

import logging
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from capsjax.data.dataset import Dataset, checked_split
from capsjax.data.formats import decoded, download
from capsjax.errors import (
  UserError,
  first_line,
  nearest,
)

_BLOCK_SIZE = 1000
_SPLITS = ('train', 'test', 'validation')
# Supported pairs of image features, which become channels, and label feature.
_FORMS = ((('image',), 'label'), (('image', 'image2'), 'label_category'))


def load_tfds(
  name: str,
  *,
  data_dir: str | os.PathLike[str] | None = None,
  other_names: Sequence[str] = (),
) -> Dataset:
  """Loads a data set by its TFDS name, preparing it if necessary.

  The data set needs a feature `image` (uint8, of one size), a feature `label`
  (a ClassLabel) and a split `train`. If it has no split `test`, its split
  `validation` serves as the test split. A stereo pair `image` and `image2` with
  `label_category`, as in smallnorb, becomes the channels of one image.

  Args:
    name: as in `tfds.builder`, such as 'cifar10' or 'cifar10:3.0.2'.
    data_dir: TFDS's data folder; None for the user's cache.
    other_names: further names to suggest if TFDS does not know `name`.

  Returns:
    The data set, in the order of the records.

  Raises:
    UserError: TFDS is not installed or does not know the name, or the data set
      cannot be downloaded or prepared or lacks these features and splits.

  Examples:
    `load_tfds('cifar10')` reads or prepares CIFAR10. Names are checked first:

    >>> from capsjax.data import load_tfds
    >>> load_tfds('cifra10')
    Traceback (most recent call last):
    capsjax.errors.UserError: unknown data set cifra10 (did you mean cifar10...
  """
  folder = download.data_folder(data_dir)
  builder = _builder(name, folder, other_names)
  if not builder.is_prepared():
    _prepare(builder, name, folder)
  num_classes = _num_classes(builder, name)
  names = [split for split in _SPLITS if split in builder.info.splits]
  if 'train' not in names or len(names) < 2:
    raise UserError(
      f'{name} has the splits {", ".join(builder.info.splits)}, but capsjax'
      " needs 'train' and 'test': choose another data set"
    )
  arrays = decoded.cached(
    pathlib.Path(builder.data_path), lambda: _decode(builder, name, names)
  )
  splits = {
    split: checked_split(
      arrays[f'{split}_images'],
      arrays[f'{split}_labels'],
      num_classes=num_classes,
      source=f"split '{split}' of {name}",
    )
    for split in names
  }
  if 'test' not in splits:
    splits['test'] = splits.pop('validation')
  return Dataset(
    name=name,
    train=splits['train'],
    test=splits['test'],
    validation=splits.get('validation'),
    num_classes=num_classes,
    class_names=tuple(builder.info.features[_form(builder, name)[1]].names),
  )


def _builder(
  name: str, folder: pathlib.Path, other_names: Sequence[str]
) -> Any:
  try:
    import tensorflow_datasets as tfds
  # Not only ImportError: a protobuf that is too old raises another error.
  except Exception as error:
    others = ''
    if other_names:
      near = _near(name, other_names)
      others = f'; without TFDS there are {", ".join(other_names)}{near}'
    raise UserError(
      f'{name} needs TFDS, which is not installed:'
      f" pip install 'capsjax[tfds]' ({_reason(error)}){others}"
    ) from error
  try:
    return tfds.builder(name, data_dir=folder)
  except Exception as error:
    if isinstance(error, tfds.core.DatasetNotFoundError):
      reason = 'no such data set'
    else:
      reason = _reason(error)
    known = tfds.list_builders(with_community_datasets=False)
    raise UserError(
      f'unknown data set {name}{_near(name, {*other_names, *known})}:'
      f' neither capsjax nor TFDS has it ({reason}); correct the name'
    ) from error


def _prepare(builder: Any, name: str, folder: pathlib.Path) -> None:
  import tensorflow_datasets as tfds

  # Without a network, TFDS retries for minutes before it fails.
  logging.getLogger(__name__).warning('TFDS prepares %s in %s', name, folder)
  try:
    builder.download_and_prepare(
      file_format='array_record',
      download_config=tfds.download.DownloadConfig(try_download_gcs=False),
    )
  except Exception as error:
    if "No module named 'tensorflow'" in str(error):
      raise UserError(
        f'{name} is not in {folder}, and TFDS needs TensorFlow to prepare it,'
        ' only this once: pip install tensorflow, or prepare it elsewhere with'
        f' tfds build {name} --file_format=array_record and copy it there'
      ) from error
    raise UserError(
      f'{name} is not in {folder}, and TFDS cannot download or prepare it'
      f' ({_reason(error)}): prepare it elsewhere with tfds build {name}'
      ' --file_format=array_record and copy it there, or use'
      ' configs/digits.py, which needs no download'
    ) from error


def _form(builder: Any, name: str) -> tuple[tuple[str, ...], str]:
  features = builder.info.features
  for images, label in _FORMS:
    if {*images, label} <= set(features):
      return images, label
  raise UserError(
    f'{name} has the features {", ".join(features)}, but capsjax needs'
    " 'image' and 'label': choose an image-classification set"
  )


def _num_classes(builder: Any, name: str) -> int:
  features = builder.info.features
  images, label = _form(builder, name)
  num_classes = getattr(features[label], 'num_classes', None)
  dtypes = {np.dtype(features[image].np_dtype) for image in images}
  if not num_classes or dtypes != {np.dtype(np.uint8)}:
    raise UserError(
      f"{name} must have uint8 images and a ClassLabel '{label}':"
      ' choose another data set'
    )
  return int(num_classes)


def _decode(
  builder: Any, name: str, splits: list[str]
) -> dict[str, np.ndarray]:
  arrays = {}
  form = _form(builder, name)
  try:
    for split in splits:
      source = builder.as_data_source(split)
      images, labels = _decode_split(source, name, *form)
      arrays[f'{split}_images'], arrays[f'{split}_labels'] = images, labels
  except UserError:
    raise
  except NotImplementedError as error:
    raise UserError(
      f'{name} in {builder.data_path} is not prepared as array_record: move it'
      f' away and run tfds build {name} --file_format=array_record'
    ) from error
  except Exception as error:
    raise UserError(
      f'cannot read {name} in {builder.data_path} ({_reason(error)}):'
      ' remove it, so that it is prepared again'
    ) from error
  return arrays


def _decode_split(
  source: Any, name: str, channels: tuple[str, ...], label: str
) -> tuple[UInt8[np.ndarray, 'n h w c'], Int[np.ndarray, ' n']]:
  def image_of(example):
    return np.concatenate([example[key] for key in channels], axis=-1)

  shape = image_of(source[0]).shape
  images = np.empty((len(source), *shape), np.uint8)
  labels = np.empty(len(source), np.int32)
  for start in range(0, len(source), _BLOCK_SIZE):
    places = range(start, min(start + _BLOCK_SIZE, len(source)))
    examples = source.__getitems__(list(places))
    for place, example in zip(places, examples, strict=True):
      image = image_of(example)
      if image.shape != shape:
        raise UserError(
          f'{name} has images of several sizes, such as {shape} and'
          f' {image.shape}: choose a set with images of one size'
        )
      images[place], labels[place] = image, example[label]
  return images, labels


def _near(name: str, known: Iterable[str]) -> str:
  near = nearest(name, known)
  return f' (did you mean {" or ".join(near)}?)' if near else ''


def _reason(error: Exception) -> str:
  return f'{type(error).__name__}: {first_line(error)}'
