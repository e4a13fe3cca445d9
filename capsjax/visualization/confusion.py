"""A confusion matrix as a figure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Real

from capsjax.visualization.labels import fit_label, text_width

if TYPE_CHECKING:
  import matplotlib.axes
  import matplotlib.figure

# The side of a cell and the most room for a name, in inches.
_SIDE = 0.42
_LONGEST_NAME = 1.6
_FONT_SIZE = 9.0
# The most classes whose cells show numbers.
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
  # A cell has room for two lines.
  names = [
    fit_label(name, width=_LONGEST_NAME, size=_FONT_SIZE, lines=2)
    for name in names
  ]
  words = [line for name in names for line in name.splitlines()]
  longest = max(text_width(word, size=_FONT_SIZE) for word in words)
  side = min(_SIDE * count + 1.2, 12)
  if count <= _MOST_NUMBERS:
    side += longest
  figure = Figure(figsize=(side, side), layout='constrained')
  axes = figure.add_subplot()
  axes.imshow(shares, cmap='Blues', norm=PowerNorm(0.3, vmin=0, vmax=1))
  axes.set_xlabel('predicted')
  axes.set_ylabel('true')
  if count > _MOST_NUMBERS:
    return figure
  axes.set_xticks(range(count), names, parse_math=False)
  axes.set_yticks(range(count), names, parse_math=False)
  axes.tick_params(labelsize=_FONT_SIZE)
  if longest > 0.9 * _SIDE:
    axes.tick_params(axis='x', labelrotation=90)
  _write_counts(axes, confusion, shares)
  return figure


def _write_counts(
  axes: 'matplotlib.axes.Axes',
  confusion: Real[np.ndarray, 'num_classes num_classes'],
  shares: Float[np.ndarray, 'num_classes num_classes'],
) -> None:
  """Writes counts other than 0 into their cells, small enough to fit."""
  cells = [(row, column) for row, column in np.argwhere(confusion)]
  texts = [f'{confusion[place]:.7g}' for place in cells]
  widest = max((text_width(text, size=1.0) for text in texts), default=1.0)
  for (row, column), text in zip(cells, texts, strict=True):
    axes.text(
      column,
      row,
      text,
      ha='center',
      va='center',
      fontsize=min(_FONT_SIZE, 0.85 * _SIDE / widest),
      color='white' if shares[row, column] > 0.3 else 'black',
    )
