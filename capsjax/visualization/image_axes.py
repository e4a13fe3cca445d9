"""Axes that show a grid of images with labelled rows and columns."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from capsjax.visualization.grid import image_grid

if TYPE_CHECKING:
  import matplotlib.axes
  import matplotlib.figure

# The size of labels beside images, in points.
FONT_SIZE = 7.0
# The distance between images and what is around them, in inches.
GAP = 0.08


def draw_grid(
  axes: 'matplotlib.axes.Axes',
  rows: Sequence[Float[np.ndarray, 'n h w c']],
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
    length=0, pad=2, labelsize=FONT_SIZE, labeltop=True, labelbottom=False
  )
  axes.set_frame_on(False)


def add_axes(
  figure: 'matplotlib.figure.Figure',
  x: float,
  y: float,
  width: float,
  height: float,
) -> 'matplotlib.axes.Axes':
  """Adds axes at a place in inches.

  Args:
    figure: the figure.
    x: the distance from its left edge.
    y: the distance from its upper edge.
    width: the width of the axes.
    height: their height.
  """
  whole_width, whole_height = figure.get_size_inches()
  return figure.add_axes(
    (
      x / whole_width,
      1 - (y + height) / whole_height,
      width / whole_width,
      height / whole_height,
    )
  )


def _centres(labels, size):
  # The size includes a line of one pixel, and pixel 0 is centred at 0.
  return [index * size + (size - 1) / 2 - 0.5 for index in range(len(labels))]
