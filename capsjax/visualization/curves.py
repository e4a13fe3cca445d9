"""Training curves of one run, or of several compared."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
  import matplotlib.figure

# The size of a panel in inches.
_PANEL = (5.0, 3.2)


class Curve(NamedTuple):
  """Values by epoch, in ascending order of the epochs.

  Examples:
    >>> import numpy as np
    >>> from capsjax.visualization import Curve
    >>> curve = Curve(epochs=np.array([1.0, 2.0]), values=np.array([5.1, 3.2]))
    >>> float(curve.values.min())
    3.2
  """

  epochs: Float[np.ndarray, ' n']
  values: Float[np.ndarray, ' n']


def curves_figure(
  panels: Mapping[str, Mapping[str, Sequence[Curve]]], *, columns: int = 2
) -> 'matplotlib.figure.Figure':
  """Draws a panel for each quantity and a line for each group of runs.

  Args:
    panels: for each quantity, the curves of each group by its name. A group of
      several runs, such as seeds, is drawn as its mean with the standard
      deviation shaded.
    columns: number of panels side by side.

  Returns:
    The figure.

  Examples:
    The test error of two seeds, drawn as their mean with a shaded deviation:

    >>> import numpy as np
    >>> from capsjax.visualization import Curve, curves_figure
    >>> epochs = np.array([1.0, 2.0, 3.0])
    >>> seeds = [
    ...   Curve(epochs, np.array([5.1, 3.2, 2.8])),
    ...   Curve(epochs, np.array([4.9, 3.4, 2.6])),
    ... ]
    >>> figure = curves_figure({'test error': {'three iterations': seeds}})
    >>> [axes.get_title() for axes in figure.axes]
    ['test error']
    >>> (line,) = figure.axes[0].lines
    >>> print(line.get_ydata().round(2))
    [5.  3.3 2.7]
  """
  from matplotlib.figure import Figure

  rows = -(-len(panels) // columns)
  width, height = _PANEL
  figure = Figure(
    figsize=(width * columns, height * rows), layout='constrained'
  )
  for index, (name, groups) in enumerate(panels.items()):
    axes = figure.add_subplot(rows, columns, index + 1)
    for label, curves in groups.items():
      mean, deviation = _mean(curves)
      marker = 'o' if len(mean.epochs) < 20 else None
      (line,) = axes.plot(*mean, label=label, marker=marker, markersize=3)
      if len(curves) > 1:
        axes.fill_between(
          mean.epochs,
          mean.values - deviation,
          mean.values + deviation,
          color=line.get_color(),
          alpha=0.2,
          linewidth=0,
        )
    axes.set_title(name)
    axes.set_xlabel('epoch')
    axes.grid(alpha=0.3)
    if len(groups) > 1:
      axes.legend(fontsize='small')
  return figure


def _mean(curves):
  """Returns mean and standard deviation where all curves have a value."""
  epochs = curves[0].epochs
  for curve in curves[1:]:
    epochs = np.intersect1d(epochs, curve.epochs)
  values = np.stack(
    [curve.values[np.searchsorted(curve.epochs, epochs)] for curve in curves]
  )
  deviation = values.std(0, ddof=1) if len(values) > 1 else 0 * values[0]
  return Curve(epochs, values.mean(0)), deviation
