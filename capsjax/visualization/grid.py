"""Grids of images."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Shaped


def image_grid(
  rows: Sequence[Shaped[np.ndarray, 'n h w c']], *, separator: int = 1
) -> Shaped[np.ndarray, 'height width colors']:
  """Arranges images in a grid, separated by white lines.

  Args:
    rows: the images of each row, all of one shape and dtype: integers up to
      the dtype's largest value, or floats in [0, 1].
    separator: width of the lines between images, in pixels.

  Returns:
    The picture, of the rows' dtype; a row of n images is
    n * w + (n - 1) * separator wide. If there are two channels, a stereo pair,
    the first becomes red and the second green and blue, as for 3D glasses.

  Raises:
    ValueError: if there is no row, or the rows differ in shape or dtype.

  Examples:
    Two rows of two images of 1x2 pixels, with white (255) between them:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> row = np.array([[[[1], [2]]], [[[3], [4]]]], np.uint8)
    >>> visualization.image_grid([row, row])[..., 0]
    array([[  1,   2, 255,   3,   4],
           [255, 255, 255, 255, 255],
           [  1,   2, 255,   3,   4]], dtype=uint8)
  """
  if len({(row.shape, row.dtype) for row in rows}) != 1:
    raise ValueError(
      'rows must not be empty and must be of one shape and dtype, not '
      f'{[(row.shape, str(row.dtype)) for row in rows]}'
    )
  images = np.stack(rows)
  is_integer = np.issubdtype(images.dtype, np.integer)
  white = np.iinfo(images.dtype).max if is_integer else 1
  # Each image gets a line above and to its left; the outermost are cut off.
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
