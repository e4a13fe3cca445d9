"""A confusion matrix as a picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Real

if TYPE_CHECKING:
  import matplotlib.figure

# The side of a cell, in inches, and the most cells with their number in them.
_SIDE = 0.42
_MOST_NUMBERS = 20


def confusion_figure(
  confusion: Real[np.ndarray, 'num_classes num_classes'],
  class_names: Sequence[str] | None = None,
) -> 'matplotlib.figure.Figure':
  """True classes by row, predicted ones by column.

  The colour tells the share of a row, on a scale that shows single mistakes.

  Args:
    confusion: counts; of several classes in an image, parts of 1 too.
    class_names: what to call the classes; by their numbers if not given. Over
      20 classes go without names and counts.

  Returns:
    The figure.
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
