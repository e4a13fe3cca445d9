"""Images above their reconstructions (figure 3 of the paper)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Integer

from capsjax.visualization.image_axes import FONT_SIZE, GAP
from capsjax.visualization.labels import fit_parts
from capsjax.visualization.panels import cut_into_panels, panels_figure

if TYPE_CHECKING:
  import matplotlib.figure

# The side of an image in inches.
_SIDE = 0.6


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
  if not len(images):
    raise ValueError('there is no image to show')
  names = class_names or [str(k) for k in range(1 + max(*labels, *predictions))]
  is_right = labels == predictions
  heads = [
    _head([names[label]] if is_same else [names[label], f'→ {names[other]}'])
    for label, other, is_same in zip(labels, predictions, is_right, strict=True)
  ]
  right = {'image': images, 'reconstruction': by_prediction}
  wrong = {
    'image': images,
    'as predicted': by_prediction,
    'as labelled': by_label,
  }
  return panels_figure(
    [
      *cut_into_panels(
        np.flatnonzero(is_right),
        right,
        heads,
        columns=columns,
        title=f'right ({is_right.sum()})',
      ),
      *cut_into_panels(
        np.flatnonzero(~is_right),
        wrong,
        heads,
        columns=columns,
        title=f'wrong ({(~is_right).sum()}): label → prediction',
      ),
    ],
    side=_SIDE,
  )


def _head(parts: Sequence[str]) -> str:
  return fit_parts(parts, width=_SIDE - GAP / 2, size=FONT_SIZE)
