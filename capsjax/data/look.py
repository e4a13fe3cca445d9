"""What the training images look like, to notice pictures that differ."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from capsjax.data.dataset import Dataset

# Images are compared by the means of this many blocks along each axis.
_BLOCKS = 8
# Pictures are far if they are this many times farther from the mean than any
# training image. Measured on all test images of MNIST, Fashion-MNIST, CIFAR-10
# (as JPEG) and scikit-learn's digits, none is far. Inverted, so that they are
# black on white, all of MNIST and the digits are far, 88% of Fashion-MNIST, and
# no photograph of CIFAR-10. If only 100 training images are known, 0.1% to 0.6%
# of the test images are far; without the tolerance it would be 1.0% to 1.6%.
_TOLERANCE = 1.1
# Values of images per step, to bound the memory.
_CHUNK = 1 << 23

_Blocks = Float[np.ndarray, 'n rows columns c']


@dataclasses.dataclass(frozen=True, eq=False)
class Look:
  """The typical background and the mean of the training images.

  Attributes:
    background: the colour of what is around the objects, one value from 0 to
      255 per channel: what transparent pixels were laid on, or else the median
      of the pixels at the border.
    mean: the mean image in [0, 1], reduced to the means of at most 8x8 blocks.
    farthest: the largest root mean square difference of a training image from
      the mean image, both so reduced.

  Examples:
    The digits are white on black, and pictures of black on white are far:

    >>> from capsjax.data import Look, load_digits
    >>> digits = load_digits()
    >>> look = Look.of(digits)
    >>> look.background
    (0,)
    >>> print(look.is_far(digits.test.images[:3]))
    [False False False]
    >>> print(look.is_far(255 - digits.test.images[:3]))
    [ True  True  True]
  """

  background: tuple[int, ...]
  mean: Float[np.ndarray, 'rows columns c']
  farthest: float

  @classmethod
  def of(cls, dataset: Dataset) -> 'Look':
    """Returns the look of a data set's training images."""
    images = dataset.train.images
    blocks = _blocks(images)
    mean = blocks.mean(0)
    return cls(
      background=dataset.background or _border_colour(images),
      mean=mean,
      farthest=float(_distances(blocks, mean).max()),
    )

  @classmethod
  def from_json(cls, found: Mapping[str, Any]) -> 'Look':
    """Returns what `to_json` was made from.

    Raises:
      KeyError: if a value is missing; as the next two, if it is damaged.
      TypeError: if a value is of another type.
      ValueError: if a value is no number, or the rows differ in length.
    """
    mean = np.array(found['mean'], np.float64)
    if mean.ndim != 3:
      raise ValueError(f'a mean image of shape {mean.shape}')
    background = tuple(map(int, found['background']))
    return cls(background, mean, float(found['farthest']))

  def to_json(self) -> dict[str, Any]:
    """Returns the look as values that JSON can hold."""
    return {
      'background': list(self.background),
      'mean': np.round(self.mean, 4).tolist(),
      'farthest': round(self.farthest, 4),
    }

  def is_far(
    self, images: UInt8[np.ndarray, 'n h w c']
  ) -> Bool[np.ndarray, ' n']:
    """Returns whether images differ from the mean more than training images do.

    Args:
      images: of the same shape as the training images.
    """
    distances = _distances(_blocks(images), self.mean)
    # A black image among black ones is not far, whatever was rounded.
    return distances > _TOLERANCE * self.farthest + 1e-3


def _blocks(images: UInt8[np.ndarray, 'n h w c']) -> _Blocks:
  """Returns the means of blocks of pixels, in [0, 1]."""
  height, width, channels = images.shape[1:]
  of_rows = _averaging(height)
  # Channels lie side by side in a row.
  of_columns = np.kron(_averaging(width), np.eye(channels, dtype=np.float32))
  step = max(_CHUNK // (height * width * channels), 1)
  chunks = []
  for start in range(0, len(images), step):
    rows = images[start : start + step].reshape(-1, width * channels)
    means = np.float32(rows / np.float32(255)) @ of_columns
    chunks.append(of_rows.T @ means.reshape(-1, height, means.shape[-1]))
  return np.concatenate(chunks).reshape(
    len(images), of_rows.shape[1], -1, channels
  )


def _averaging(side: int) -> Float[np.ndarray, 'side blocks']:
  """Returns the matrix that averages the pixels of each block of an axis."""
  blocks = min(side, _BLOCKS)
  block_of = np.arange(side) * blocks // side
  matrix = np.eye(blocks, dtype=np.float32)[block_of]
  return matrix / matrix.sum(0)


def _distances(
  blocks: _Blocks, mean: Float[np.ndarray, 'rows columns c']
) -> Float[np.ndarray, ' n']:
  return np.sqrt(np.square(blocks - mean).mean((1, 2, 3)))


def _border_colour(images: UInt8[np.ndarray, 'n h w c']) -> tuple[int, ...]:
  """Returns the median of the pixels at the edge, per channel."""
  edges = (images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1])
  border = np.concatenate([e.reshape(-1, images.shape[-1]) for e in edges])
  # 256 counts need less memory than a sort.
  return tuple(
    int(np.searchsorted(np.bincount(values).cumsum(), len(values) / 2))
    for values in border.T
  )
