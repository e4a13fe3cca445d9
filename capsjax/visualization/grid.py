"""Several images in one picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped


def image_grid(
  rows: Sequence[Shaped[np.ndarray, 'n h w c']], *, separator: int = 1
) -> Shaped[np.ndarray, 'height width colors']:
  """Puts rows of images below each other, with white lines between.

  Args:
    rows: the images of each row, all of one shape and dtype: integers up to
      the dtype's largest value, or floats in [0, 1].
    separator: the width of a line between neighbours, in pixels.

  Returns:
    The picture, of the rows' dtype: a row of n images is
    n * w + (n - 1) * separator wide. Of two channels, a stereo pair, the first
    one is red and the second one green and blue, as for 3D glasses.

  Raises:
    ValueError: if there is no row, or the rows differ in shape or dtype.
  """
  if len({(row.shape, row.dtype) for row in rows}) != 1:
    raise ValueError(
      'rows must be one or more, of one shape and dtype, not '
      f'{[(row.shape, str(row.dtype)) for row in rows]}'
    )
  images = np.stack(rows)
  is_integer = np.issubdtype(images.dtype, np.integer)
  white = np.iinfo(images.dtype).max if is_integer else 1
  # A line above and to the left of each image; the outermost are cut off.
  tiles = np.pad(
    images,
    [(0, 0), (0, 0), (separator, 0), (separator, 0), (0, 0)],
    constant_values=white,
  )
  num_rows, num_columns, height, width, channels = tiles.shape
  picture = tiles.transpose(0, 2, 1, 3, 4).reshape(
    num_rows * height, num_columns * width, channels
  )
  if channels == 2:
    picture = picture[..., [0, 1, 1]]
  return picture[separator:, separator:]
