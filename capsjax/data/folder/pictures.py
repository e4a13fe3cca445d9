"""Decodes many pictures into one array, using all cores."""

import collections
import concurrent.futures
import functools
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, UInt8

from capsjax import console
from capsjax.data.folder.names import name_some
from capsjax.data.folder.picture import (
  Decoded,
  PictureError,
  Size,
  decode_picture,
)
from capsjax.data.folder.source import Source
from capsjax.errors import UserError

# More threads would wait for each other: only one at a time runs Python.
_MAX_THREADS = 16
_BATCH_BYTES = 1 << 15
_BAR_DELAY_SECONDS = 2.0

_File = tuple[str, bytes]
_Decode = Callable[[bytes], Decoded]
_Results = list[tuple[str, Decoded | PictureError]]


class Pictures(NamedTuple):
  """Decoded pictures, in the order of their names.

  Attributes:
    images: uint8 of shape [n, h, w, c].
    is_transparent: whether some pixels of each file may be transparent.
  """

  images: UInt8[np.ndarray, 'n h w c']
  is_transparent: Bool[np.ndarray, ' n']


def read_pictures(
  source: Source,
  names: Sequence[str],
  *,
  size: Size,
  channels: int,
  background: tuple[int, ...] = (0,),
) -> Pictures:
  """Reads pictures of one size.

  Args:
    source: the folder or archive of the pictures.
    names: n distinct file names.
    size: height and width of the images; None keeps the pictures' size.
    channels: 1 or 3; 0 for 1 if all files are grey, else 3.
    background: the colour behind transparent pixels, as for `decode_picture`.

  Returns:
    The pictures.

  Raises:
    UserError: files cannot be read, or differ in size.
  """
  from tqdm import tqdm

  decode = functools.partial(
    decode_picture, size=size, channels=channels, background=background
  )
  images = _Images(names)
  with (
    warnings.catch_warnings(),
    tqdm(
      total=len(names),
      unit='picture',
      leave=False,
      disable=console.hides_bar(),
      delay=_BAR_DELAY_SECONDS,
    ) as progress,
  ):
    # Pillow warns of damaged metadata, but raises if the pixels are damaged.
    # The filter applies to all threads, so it is set once here.
    warnings.filterwarnings('ignore', module=r'PIL\.')
    for results in _decoded(source.files(frozenset(names)), decode):
      for name, result in results:
        images.add(name, result)
      progress.update(len(results))
  return images.complete(source.path)


def _decoded(files: Iterator[_File], decode: _Decode) -> Iterator[_Results]:
  """Yields decoded pictures in the order of the files, a few batches ahead."""
  num_threads = min(os.cpu_count() or 1, _MAX_THREADS)
  under_way: collections.deque[concurrent.futures.Future[_Results]]
  under_way = collections.deque()
  with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
    for batch in _batches(files):
      under_way.append(pool.submit(_decode_batch, batch, decode))
      if len(under_way) > 2 * num_threads:
        yield under_way.popleft().result()
    while under_way:
      yield under_way.popleft().result()


def _batches(files: Iterator[_File]) -> Iterator[list[_File]]:
  """Groups small files, since submitting one takes as long as decoding it."""
  batch: list[_File] = []
  size = 0
  for name, data in files:
    batch.append((name, data))
    size += len(data)
    if size >= _BATCH_BYTES:
      yield batch
      batch, size = [], 0
  yield batch


def _decode_batch(batch: Sequence[_File], decode: _Decode) -> _Results:
  results: _Results = []
  for name, data in batch:
    try:
      results.append((name, decode(data)))
    except PictureError as error:
      results.append((name, error))
  return results


class _Images:
  """Collects decoded pictures in one array, each at the index of its name."""

  def __init__(self, names: Sequence[str]):
    self._names = names
    self._places = {name: place for place, name in enumerate(names)}
    self._images: np.ndarray | None = None
    self._is_transparent = np.zeros(len(names), bool)
    # Height and width of each picture read, and why the others failed.
    self._sizes: dict[str, tuple[int, int]] = {}
    self._troubles = dict.fromkeys(names, 'gone')

  def add(self, name: str, result: Decoded | PictureError) -> None:
    """Adds a picture, or the reason why it could not be read."""
    if isinstance(result, PictureError):
      self._troubles[name] = str(result)
      return
    self._troubles.pop(name, None)
    pixels, place = result.pixels, self._places[name]
    height, width, channels = pixels.shape
    self._sizes[name] = (height, width)
    self._is_transparent[place] = result.is_transparent
    if self._images is None:
      shape = (len(self._names), *pixels.shape)
      self._images = np.empty(shape, np.uint8)
    if self._images.shape[1:3] != (height, width):
      return  # `complete` reports all of these at once.
    if self._images.shape[3] < channels:
      # The first colour picture after grey ones.
      self._images = np.repeat(self._images, channels, axis=3)
    self._images[place] = pixels  # Grey broadcasts to channels.

  def complete(self, root: pathlib.Path) -> Pictures:
    """Returns all pictures, after each was added.

    Raises:
      UserError: pictures could not be read, or differ in size.
    """
    total = f'{len(self._names):,} pictures'
    if root != pathlib.Path():
      total += f' in {root}'
    if self._troubles:
      listed = [f'{name} ({why})' for name, why in self._troubles.items()]
      raise UserError(
        f'cannot read {len(listed):,} of {total}: {name_some(listed)}; remove'
        ' or replace them'
      )
    sizes = [self._sizes[name] for name in self._names]
    (height, width), _ = collections.Counter(sizes).most_common(1)[0]
    odd = [
      f'{name} ({w}x{h})'
      for name, (h, w) in zip(self._names, sizes, strict=True)
      if (h, w) != (height, width)
    ]
    if odd:
      raise UserError(
        f'the size of {len(odd):,} of {total} is not {width}x{height} like the'
        f' others: {name_some(odd)}; resize all to one size with'
        ' --config.images.size=32'
      )
    assert self._images is not None
    return Pictures(self._images, self._is_transparent)
