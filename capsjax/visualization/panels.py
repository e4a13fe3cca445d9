"""Figures of one or more grids of images, with as much room as labels need."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from capsjax.visualization.image_axes import (
  FONT_SIZE,
  GAP,
  add_axes,
  draw_grid,
)
from capsjax.visualization.labels import fit_label, text_height, text_width

if TYPE_CHECKING:
  import matplotlib.figure

# The size of titles in points.
_TITLE_SIZE = 9.0


class Panel(NamedTuple):
  """A grid of images with its labels.

  Attributes:
    rows: as for `draw_grid`, and so are the next two.
    row_labels: as for `draw_grid`.
    column_labels: as for `draw_grid`.
    title: stands above the panel.
  """

  rows: Sequence[Float[np.ndarray, 'n h w c']]
  row_labels: Sequence[str]
  column_labels: Sequence[str]
  title: str = ''


def cut_into_panels(
  chosen: Int[np.ndarray, ' chosen'],
  rows: Mapping[str, Float[np.ndarray, 'n h w c']],
  heads: Sequence[str],
  *,
  columns: int,
  title: str,
) -> Iterator[Panel]:
  """Yields panels of `columns` images, the last one filled with white ones.

  Args:
    chosen: which images to show.
    rows: the images of each row by its label.
    heads: the label of each image.
    columns: number of images side by side.
    title: the title of the first panel.
  """
  for start in range(0, len(chosen), columns):
    part = chosen[start : start + columns]
    fill = [(0, columns - len(part)), (0, 0), (0, 0), (0, 0)]
    yield Panel(
      [
        np.pad(images[part], fill, constant_values=1)
        for images in rows.values()
      ],
      list(rows),
      [heads[k] for k in part],
      '' if start else title,
    )


def panels_figure(
  panels: Sequence[Panel],
  *,
  side: float,
  columns: int = 1,
  turned: bool = False,
) -> 'matplotlib.figure.Figure':
  """Draws panels of equal grids, with as much room as their labels need.

  Args:
    panels: the panels, whose column labels are no wider than `side`.
    side: the width of an image in inches.
    columns: number of panels side by side.
    turned: whether column labels are turned by 90 degrees, so that they may be
      wider than an image.

  Returns:
    The figure.
  """
  from matplotlib.figure import Figure

  words = [label for panel in panels for label in panel.row_labels]
  left = max(text_width(word, size=FONT_SIZE) for word in words) + 2 * GAP
  boxes = [_measure(panel, left, side, turned) for panel in panels]
  width = boxes[0].left + boxes[0].grid_width
  heights = [
    max(box.top + box.grid_height for box in boxes[start : start + columns])
    for start in range(0, len(boxes), columns)
  ]
  figure = Figure(figsize=(columns * width + GAP, sum(heights) + GAP))
  for index, (panel, box) in enumerate(zip(panels, boxes, strict=True)):
    row, column = divmod(index, columns)
    axes = add_axes(
      figure,
      column * width + box.left,
      sum(heights[:row]) + box.top,
      box.grid_width,
      box.grid_height,
    )
    draw_grid(
      axes,
      panel.rows,
      row_labels=panel.row_labels,
      column_labels=panel.column_labels,
    )
    if turned:
      axes.tick_params(axis='x', labelrotation=90)
    axes.set_title(
      box.title,
      # At the left edge of the panel, above the labels.
      x=(GAP - box.left) / box.grid_width,
      y=1 + box.heads / box.grid_height,
      ha='left',
      pad=0,
      fontsize=_TITLE_SIZE,
      parse_math=False,
    )
  return figure


class _Box(NamedTuple):
  """The sizes of a panel in inches, and its title in lines.

  Attributes:
    title: the title, broken into lines.
    left: the width of the row labels.
    heads: the height of the column labels.
    top: the height of the title and the column labels.
    grid_width: the width of the images.
    grid_height: their height.
  """

  title: str
  left: float
  heads: float
  top: float
  grid_width: float
  grid_height: float


def _measure(panel: Panel, left: float, side: float, turned: bool) -> _Box:
  number, height, width = panel.rows[0].shape[:3]
  # Between the images are lines of one pixel.
  scale = side / (width + 1)
  grid_width = (number * (width + 1) - 1) * scale
  grid_height = (len(panel.rows) * (height + 1) - 1) * scale
  title = fit_label(
    panel.title, width=left + grid_width - GAP, size=_TITLE_SIZE
  )
  measure = text_width if turned else text_height
  heads = 1.5 * GAP + max(
    (measure(label, size=FONT_SIZE) for label in panel.column_labels),
    default=0.0,
  )
  top = heads + text_height(title, size=_TITLE_SIZE) + 2 * GAP
  return _Box(title, left, heads, top, grid_width, grid_height)
