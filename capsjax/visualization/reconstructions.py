"""Images above their reconstructions (figure 3 of the paper)."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from capsjax.visualization.panels import FONT_SIZE, draw_grid

if TYPE_CHECKING:
  import matplotlib.figure

# The side of an image and the height of a block's labels, in inches.
_SIDE = 0.6
_WORDS = 0.45


def reconstruction_figure(
  images: Float[np.ndarray, 'n h w c'],
  labels: Integer[np.ndarray, ' n'],
  predictions: Integer[np.ndarray, ' n'],
  *,
  by_prediction: Float[np.ndarray, 'n h w c'],
  by_label: Float[np.ndarray, 'n h w c'],
  class_names: Sequence[str] | None = None,
  columns: int = 10,
) -> 'matplotlib.figure.Figure':
  """Draws correct predictions above wrong ones, with reconstructions.

  Args:
    images: images in [0, 1].
    labels: the true classes.
    predictions: the predicted classes.
    by_prediction: reconstructions from the capsules of the predictions.
    by_label: reconstructions from the capsules of the labels, shown where a
      prediction is wrong.
    class_names: the name of each class; its number if None.
    columns: number of images side by side.

  Returns:
    The figure. Each image is headed by its label, or `label → prediction`.

  Raises:
    ValueError: if there is no image.

  Examples:
    Two images, of which the second is a 4 that was taken for a 9:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> images = np.random.default_rng(0).random((2, 28, 28, 1))
    >>> figure = visualization.reconstruction_figure(
    ...   images,
    ...   labels=np.array([7, 4]),
    ...   predictions=np.array([7, 9]),
    ...   by_prediction=images,
    ...   by_label=images,
    ... )
    >>> [axes.get_title() for axes in figure.axes]
    ['right (1)', 'wrong (1): label → prediction']

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 3.
  """
  from matplotlib.figure import Figure

  if not len(images):
    raise ValueError('there is no image to show')
  names = class_names or [str(k) for k in range(1 + max(*labels, *predictions))]
  right = np.flatnonzero(labels == predictions)
  wrong = np.flatnonzero(labels != predictions)
  blocks = []
  for start in range(0, len(right), columns):
    chosen = right[start : start + columns]
    rows = {'image': images, 'reconstruction': by_prediction}
    blocks.append((chosen, rows, [names[k] for k in labels[chosen]]))
  for start in range(0, len(wrong), columns):
    chosen = wrong[start : start + columns]
    rows = {
      'image': images,
      'as predicted': by_prediction,
      'as labelled': by_label,
    }
    heads = [f'{names[labels[k]]} → {names[predictions[k]]}' for k in chosen]
    blocks.append((chosen, rows, heads))

  heights = [_SIDE * len(rows) + _WORDS for _, rows, _ in blocks]
  figure = Figure(
    figsize=(_SIDE * (columns + 2), sum(heights)), layout='constrained'
  )
  grid = figure.add_gridspec(len(blocks), 1, height_ratios=heights)
  for index, (chosen, rows, heads) in enumerate(blocks):
    axes = figure.add_subplot(grid[index])
    draw_grid(
      axes,
      [_filled(array[chosen], columns) for array in rows.values()],
      row_labels=list(rows),
      column_labels=heads,
    )
    if index == 0 and len(right):
      axes.set_title(f'right ({len(right)})', fontsize=FONT_SIZE + 1)
    if index == math.ceil(len(right) / columns) and len(wrong):
      axes.set_title(
        f'wrong ({len(wrong)}): label → prediction', fontsize=FONT_SIZE + 1
      )
  return figure


def _filled(images, count):
  """Pads a row with white images."""
  missing = count - len(images)
  return np.pad(
    images, [(0, missing), (0, 0), (0, 0), (0, 0)], constant_values=1
  )
