"""A confusion matrix as a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Real

if TYPE_CHECKING:
  import matplotlib.figure

# The side of a cell in inches, and the most classes whose cells show numbers.
_SIDE = 0.42
_MOST_NUMBERS = 20


def confusion_figure(
  confusion: Real[np.ndarray, 'num_classes num_classes'],
  class_names: Sequence[str] | None = None,
) -> 'matplotlib.figure.Figure':
  """Draws a confusion matrix: true classes by row, predicted by column.

  The colour is a cell's share of its row, on a scale that makes single mistakes
  visible.

  Args:
    confusion: counts, which may be fractional if images show several classes.
    class_names: names of the classes; their numbers if None. With more than 20
      classes, names and counts are left out.

  Returns:
    The figure.

  Examples:
    Of four cats, one is taken for a dog:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> figure = visualization.confusion_figure(
    ...   np.array([[3, 1], [0, 4]]), ['cat', 'dog']
    ... )
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['3', '1', '4']
  """
  from matplotlib.colors import PowerNorm
  from matplotlib.figure import Figure

  count = len(confusion)
  names = class_names or [str(k) for k in range(count)]
  shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
  side = min(_SIDE * count + 1.2, 12)
  figure = Figure(figsize=(side, side), layout='constrained')
  axes = figure.add_subplot()
  axes.imshow(shares, cmap='Blues', norm=PowerNorm(0.3, vmin=0, vmax=1))
  axes.set_xlabel('predicted')
  axes.set_ylabel('true')
  if count > _MOST_NUMBERS:
    return figure
  axes.set_xticks(range(count), names, parse_math=False)
  axes.set_yticks(range(count), names, parse_math=False)
  for row, column in np.argwhere(confusion):
    axes.text(
      column,
      row,
      f'{confusion[row, column]:.7g}',
      ha='center',
      va='center',
      fontsize='small',
      color='white' if shares[row, column] > 0.3 else 'black',
    )
  return figure
