"""Reads MNIST and Fashion-MNIST from their four IDX files."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from capsjax.data.dataset import (
  Dataset,
  Split,
  checked_split,
)
from capsjax.data.formats import download, idx
from capsjax.errors import UserError

_FILES = (
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
)
_NUM_CLASSES = 10


@dataclasses.dataclass(frozen=True)
class _Source:
  name: str
  mirrors: tuple[str, ...]
  # SHA-256 of the `.gz` files, in the order of _FILES.
  checksums: tuple[str, str, str, str]
  # SHA-256 of the test labels' bytes: identifies the set, compressed or not.
  fingerprint: str
  class_names: tuple[str, ...] = ()


_MNIST = _Source(
  name='mnist',
  mirrors=(
    'https://ossci-datasets.s3.amazonaws.com/mnist/',
    'https://storage.googleapis.com/cvdf-datasets/mnist/',
  ),
  checksums=(
    '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609',
    '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c',
    '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6',
    'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6',
  ),
  fingerprint=(
    'ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5'
  ),
)

_FASHION_MNIST = _Source(
  name='fashion_mnist',
  mirrors=(
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/'
    'data/fashion/',
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
  ),
  checksums=(
    '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84',
    'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845',
    '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073',
    '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5',
  ),
  fingerprint=(
    '3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9'
  ),
  class_names=(
    *('T-shirt', 'trouser', 'pullover', 'dress', 'coat'),
    *('sandal', 'shirt', 'sneaker', 'bag', 'ankle boot'),
  ),
)


def load_mnist(
  *,
  data_dir: str | os.PathLike[str] | None = None,
  mirrors: Sequence[str] = _MNIST.mirrors,
) -> Dataset:
  """Loads MNIST, or another ten-class data set with the same file names.

  Args:
    data_dir: the folder that holds the four files, `.gz` or not, directly or
      in its subfolder `mnist`; missing files are downloaded there. None for
      the user's cache.
    mirrors: URLs, each ending in '/', to download from.

  Returns:
    60,000 training and 10,000 test images of shape [28, 28, 1].

  Raises:
    UserError: the folder or a file is missing or damaged, or files do not
      belong together.

  Examples:
    Ten black images; an IDX file is a header and then bytes:

    >>> import pathlib
    >>> from capsjax.data import load_mnist
    >>> folder = pathlib.Path('idx')
    >>> folder.mkdir()
    >>> images = bytes([0, 0, 8, 3, 0, 0, 0, 10, 0, 0, 0, 28, 0, 0, 0, 28])
    >>> labels = bytes([0, 0, 8, 1, 0, 0, 0, 10, *range(10)])
    >>> for part in 'train', 't10k':
    ...   pixels = images + bytes(10 * 28 * 28)
    ...   _ = (folder / f'{part}-images-idx3-ubyte').write_bytes(pixels)
    ...   _ = (folder / f'{part}-labels-idx1-ubyte').write_bytes(labels)

    >>> dataset = load_mnist(data_dir=folder)
    >>> dataset.train.images.shape, dataset.test.labels
    ((10, 28, 28, 1), array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], dtype=int32))

  References:
    LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998.
  """
  return _load(_MNIST, data_dir, mirrors)


def load_fashion_mnist(
  *,
  data_dir: str | os.PathLike[str] | None = None,
  mirrors: Sequence[str] = _FASHION_MNIST.mirrors,
) -> Dataset:
  """Loads Fashion-MNIST.

  Args:
    data_dir: as in `load_mnist`, with the subfolder `fashion_mnist`.
    mirrors: as in `load_mnist`.

  Returns:
    60,000 training and 10,000 test images of shape [28, 28, 1].

  Raises:
    UserError: as in `load_mnist`.

  Examples:
    A file that is missing is downloaded, unless those beside it are of another
    data set:

    >>> import pathlib
    >>> from capsjax.data import load_fashion_mnist
    >>> folder = pathlib.Path('mine')
    >>> folder.mkdir()
    >>> _ = (folder / 't10k-labels-idx1-ubyte.gz').write_bytes(b'damaged')
    >>> load_fashion_mnist(data_dir=folder)
    Traceback (most recent call last):
    capsjax.errors.UserError: mine lacks train-images-idx3-ubyte.gz, ...

  References:
    Xiao, Rasul, Vollgraf: Fashion-MNIST, 2017, https://arxiv.org/abs/1708.07747
  """
  return _load(_FASHION_MNIST, data_dir, mirrors)


def _load(
  source: _Source,
  data_dir: str | os.PathLike[str] | None,
  mirrors: Sequence[str],
) -> Dataset:
  root = download.data_folder(data_dir)
  paths = _find_or_download(source, root, mirrors)
  train, test = _read_split(paths, _FILES[:2]), _read_split(paths, _FILES[2:])
  _refuse_namesake(source, test, paths[_FILES[3]])
  return Dataset(
    source.name, train, test, None, _NUM_CLASSES, source.class_names
  )


def _read_split(
  paths: Mapping[str, pathlib.Path], files: Sequence[str]
) -> Split:
  images, labels = (paths[file] for file in files)
  return checked_split(
    idx.read_images(images),
    idx.read_labels(labels),
    num_classes=_NUM_CLASSES,
    source=f'{images} and {labels.name}',
  )


def _refuse_namesake(source: _Source, test: Split, path: pathlib.Path) -> None:
  """Refuses files of the other data set, which have the same names."""
  digest = hashlib.sha256(test.labels.astype(np.uint8).tobytes()).hexdigest()
  for other in (_MNIST, _FASHION_MNIST):
    if other is not source and other.fingerprint == digest:
      raise UserError(
        f'{path} belongs to {other.name}, not to {source.name}: put the files'
        f' of each set into a folder named after it in data_dir'
      )


def _find_or_download(
  source: _Source, root: pathlib.Path, mirrors: Sequence[str]
) -> dict[str, pathlib.Path]:
  """Returns the path of each of the four files, all in one folder.

  The user's files may be another data set in the same format, so four complete
  files need not match the checksums. Missing files are downloaded only if the
  others match, so that two data sets never mix.
  """
  own = root / source.name
  found = {folder: _find(folder) for folder in (own, root)}
  for paths in found.values():
    if len(paths) == len(_FILES):
      return paths
  folder = own if found[own] or not found[root] else root
  checksums = dict(zip(_FILES, source.checksums, strict=True))
  missing = {
    f'{file}.gz': checksum
    for file, checksum in checksums.items()
    if file not in found[folder]
  }
  for file, path in found[folder].items():
    if download.sha256(path) != checksums[file]:
      raise UserError(
        f'{folder} lacks {", ".join(missing)}, and its {path.name} is not the'
        f' usual one of {source.name}, so nothing is downloaded: put it there'
      )
  download.fetch(missing, mirrors=mirrors, folder=folder)
  return _find(folder)


def _find(folder: pathlib.Path) -> dict[str, pathlib.Path]:
  """Returns the files found in a folder, preferring uncompressed ones."""
  candidates = ((f, folder / (f + s)) for f in _FILES for s in ('.gz', ''))
  return {file: path for file, path in candidates if path.exists()}
