"""What each dimension of a class capsule encodes (figure 4 of the paper)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from capsjax.visualization.panels import Panel, panels_figure

if TYPE_CHECKING:
  import matplotlib.figure

# The side of an image in inches.
_SIDE = 0.3


def perturb_capsules(
  capsules: Float[np.ndarray, '*batch dim'],
  offsets: Float[np.ndarray, ' steps'],
) -> Float[np.ndarray, '*batch dim steps dim']:
  """Changes each dimension of a capsule separately.

  Args:
    capsules: any capsules.
    offsets: numbers to add to a dimension.

  Returns:
    The whole capsule for each dimension and offset.

  Examples:
    A capsule of dimension 2, with two offsets added to each dimension:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> visualization.perturb_capsules(
    ...   np.array([0.6, 0.8]), np.array([-0.5, 0.5])
    ... ).round(1)
    array([[[0.1, 0.8],
            [1.1, 0.8]],
    <BLANKLINE>
           [[0.6, 0.3],
            [0.6, 1.3]]])
  """
  unit_vectors = np.eye(capsules.shape[-1])[:, None]
  changes = (offsets[:, None] * unit_vectors).astype(capsules.dtype)
  return capsules[..., None, None, :] + changes


def perturbation_figure(
  pictures: Float[np.ndarray, 'n dim steps h w c'],
  offsets: Float[np.ndarray, ' steps'],
  titles: Sequence[str],
  *,
  columns: int = 3,
) -> 'matplotlib.figure.Figure':
  """Draws a panel per image, with dimensions by row and offsets by column.

  Args:
    pictures: the decoded results of `perturb_capsules`, in [0, 1].
    offsets: the numbers that were added to the dimensions.
    titles: the title of each panel, such as the class.
    columns: number of panels side by side.

  Returns:
    The figure.

  Examples:
    >>> import numpy as np
    >>> from capsjax import visualization
    >>> offsets = np.array([-0.25, 0.0, 0.25])
    >>> pictures = np.random.default_rng(0).random((1, 16, 3, 28, 28, 1))
    >>> figure = visualization.perturbation_figure(pictures, offsets, ['two'])
    >>> [label.get_text() for label in figure.axes[0].get_xticklabels()]
    ['-0.25', '+0.00', '+0.25']

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, figure 4.
  """
  number, dim = pictures.shape[:2]
  row_labels = [f'dim {k}' for k in range(dim)]
  column_labels = [f'{offset:+.2f}' for offset in offsets]
  panels = [
    Panel(list(rows), row_labels, column_labels, title)
    for rows, title in zip(pictures, titles, strict=True)
  ]
  return panels_figure(
    panels, side=_SIDE, columns=min(columns, number), turned=True
  )
