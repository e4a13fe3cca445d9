"""Overlapping objects and their reconstructions, in two colours.

This is figure 5 of the paper.
"""

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
_SIDE = 0.8


def overlay(
  objects: Float[np.ndarray, 'n 2 h w 1'],
) -> Float[np.ndarray, 'n h w 3']:
  """Overlays two grey images in red and green, yellow where they overlap.

  Args:
    objects: the two images of each example, in [0, 1].

  Examples:
    Red, green, and yellow where both images are white:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> first, second = np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0, 1.0])
    >>> objects = np.stack([first, second]).reshape(1, 2, 1, 3, 1)
    >>> visualization.overlay(objects)[0, 0]
    array([[1.  , 0.  , 0.  ],
           [0.  , 1.  , 0.  ],
           [1.  , 1.  , 0.25]])
  """
  first, second = objects[:, 0], objects[:, 1]
  # Some blue where both are, so that thin strokes stay visible on black.
  return np.concatenate([first, second, 0.25 * first * second], -1)


def overlap_figure(
  images: Float[np.ndarray, 'n h w 1'],
  objects: Float[np.ndarray, 'n 2 h w 1'],
  labels: Integer[np.ndarray, 'n 2'],
  predictions: Integer[np.ndarray, 'n 2'],
  *,
  by_prediction: Float[np.ndarray, 'n 2 h w 1'],
  by_label: Float[np.ndarray, 'n 2 h w 1'],
  absent: Integer[np.ndarray, 'n 2'],
  by_absent: Float[np.ndarray, 'n 2 h w 1'],
  class_names: Sequence[str],
  columns: int = 10,
) -> 'matplotlib.figure.Figure':
  """Draws correct predictions above wrong ones.

  Args:
    images: images of two objects, in [0, 1].
    objects: each object alone.
    labels: the true classes, in ascending order.
    predictions: the predicted classes, in ascending order.
    by_prediction: reconstructions from the capsules of the predictions.
    by_label: reconstructions from the capsules of the labels, shown where a
      prediction is wrong.
    absent: for each image, a class that it shows and a class that it does not.
    by_absent: reconstructions from the capsules of `absent`, shown where a
      prediction is right. The absent object should not be reconstructed.
    class_names: the name of each class.
    columns: number of images side by side.

  Returns:
    The figure.

  Raises:
    ValueError: if there is no image.

  Examples:
    >>> import numpy as np
    >>> from capsjax import visualization
    >>> objects = np.random.default_rng(0).random((1, 2, 36, 36, 1))
    >>> figure = visualization.overlap_figure(
    ...   objects.max(1),
    ...   objects,
    ...   labels=np.array([[3, 7]]),
    ...   predictions=np.array([[3, 7]]),
    ...   by_prediction=objects,
    ...   by_label=objects,
    ...   absent=np.array([[3, 5]]),
    ...   by_absent=objects,
    ...   class_names='0123456789',
    ... )
    >>> figure.axes[0].get_title()
    'right (1)'

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 5.
  """
  if not len(images):
    raise ValueError('there is no image to show')
  is_right = (labels == predictions).all(-1)
  pictures = {
    'image': np.repeat(images, 3, -1),
    'its objects': overlay(objects),
  }
  right = pictures | {
    'reconstructed': overlay(by_prediction),
    'absent asked': overlay(by_absent),
  }
  wrong = pictures | {
    'as predicted': overlay(by_prediction),
    'as labelled': overlay(by_label),
  }
  return panels_figure(
    [
      *cut_into_panels(
        np.flatnonzero(is_right),
        right,
        _heads(labels, 'asked', absent, class_names),
        columns=columns,
        title=f'right ({is_right.sum()})',
      ),
      *cut_into_panels(
        np.flatnonzero(~is_right),
        wrong,
        _heads(labels, '→', predictions, class_names),
        columns=columns,
        title=f'wrong ({(~is_right).sum()}): labels → predictions',
      ),
    ],
    side=_SIDE,
  )


def _heads(
  labels: Integer[np.ndarray, 'n 2'],
  between: str,
  others: Integer[np.ndarray, 'n 2'],
  names: Sequence[str],
) -> list[str]:
  """Returns two classes above two others for each image."""
  return [
    _pair(f'{names[a]},', names[b])
    + '\n'
    + _pair(f'{between} {names[c]},', names[d])
    for (a, b), (c, d) in zip(labels, others, strict=True)
  ]


def _pair(*parts: str) -> str:
  return fit_parts(parts, width=_SIDE - GAP / 2, size=FONT_SIZE, lines=2)
