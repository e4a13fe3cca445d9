"""Grids of images with labelled rows and columns, in a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxtyping import Float
from numpy import ndarray

from capsjax.visualization.grid import image_grid

if TYPE_CHECKING:
  import matplotlib.axes

# The size of labels beside the images, in points.
FONT_SIZE = 7


def draw_grid(
  axes: 'matplotlib.axes.Axes',
  rows: Sequence[Float[ndarray, 'n h w c']],
  *,
  row_labels: Sequence[str] = (),
  column_labels: Sequence[str] = (),
) -> None:
  """Draws a grid of images with labels to the left and above.

  Args:
    axes: where to draw.
    rows: images in [0, 1], of 1, 2 (a stereo pair) or 3 channels.
    row_labels: one label per row, or none at all.
    column_labels: one label per column, or none at all.

  Examples:
    >>> import numpy as np
    >>> from capsjax import visualization
    >>> from matplotlib.figure import Figure
    >>> axes = Figure().add_subplot()
    >>> images = np.random.default_rng(0).random((2, 3, 28, 28, 1))
    >>> visualization.draw_grid(
    ...   axes, list(images), row_labels=['image', 'reconstruction']
    ... )
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['image', 'reconstruction']
  """
  picture = image_grid(rows).clip(0, 1)
  if picture.shape[-1] == 1:
    picture = picture[..., 0]
  # matplotlib ignores `cmap`, `vmin` and `vmax` for colour images.
  axes.imshow(picture, cmap='gray', vmin=0, vmax=1, interpolation='nearest')
  height, width = (side + 1 for side in rows[0].shape[1:3])
  # A name may contain a $, so mathematics is off.
  axes.set_yticks(_centres(row_labels, height), row_labels, parse_math=False)
  axes.set_xticks(
    _centres(column_labels, width), column_labels, parse_math=False
  )
  axes.tick_params(
    length=0, labelsize=FONT_SIZE, labeltop=True, labelbottom=False
  )
  axes.set_frame_on(False)


def _centres(labels, size):
  # The size includes a line of one pixel, and pixel 0 is centred at 0.
  return [index * size + (size - 1) / 2 - 0.5 for index in range(len(labels))]
