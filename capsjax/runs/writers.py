"""Where the metrics and pictures of a run are written."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Protocol, SupportsFloat, runtime_checkable

import numpy as np
from jaxtyping import Shaped, UInt8


@runtime_checkable
class Writer(Protocol):
  """Writes the metrics and pictures of a run somewhere."""

  def write_scalars(self, step: int, scalars: Mapping[str, float]) -> None:
    """Writes numbers by name, which may be infinite or NaN."""

  def write_images(
    self, step: int, images: Mapping[str, UInt8[np.ndarray, 'h w c']]
  ) -> None:
    """Writes pictures by name, of 1 or 3 channels."""

  def close(self) -> None:
    """Writes what is pending."""


class Writers:
  """Several writers as one; a context manager that closes them.

  Args:
    writers: the writers; if there are none, nothing is written.
  """

  def __init__(self, writers: Sequence[Writer] = ()) -> None:
    self._writers = tuple(writers)

  def write_scalars(
    self, step: int, scalars: Mapping[str, SupportsFloat]
  ) -> None:
    """Writes numbers by name, such as 'train/margin_loss'."""
    numbers = {name: float(value) for name, value in scalars.items()}
    for writer in self._writers:
      writer.write_scalars(step, numbers)

  def write_images(
    self, step: int, images: Mapping[str, Shaped[np.ndarray, 'h w c']]
  ) -> None:
    """Writes pictures by name: uint8, or float in [0, 1]; 1 or 3 channels."""
    pictures = {name: _as_bytes(image) for name, image in images.items()}
    for writer in self._writers:
      writer.write_images(step, pictures)

  def close(self) -> None:
    """Closes all writers, even if closing one fails."""
    with ExitStack() as stack:
      for writer in self._writers:
        stack.callback(writer.close)

  def __enter__(self) -> 'Writers':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()


def _as_bytes(
  image: Shaped[np.ndarray, 'h w c'],
) -> UInt8[np.ndarray, 'h w c']:
  if image.dtype == np.uint8:
    return image
  return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
