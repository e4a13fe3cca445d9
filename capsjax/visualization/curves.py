"""Training curves of one run, or of several compared."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from capsjax.visualization.labels import fit_label, text_height, text_width

if TYPE_CHECKING:
  import matplotlib.axes
  import matplotlib.figure
  import matplotlib.lines

# The size of a panel, and what the line beside a label takes, in inches.
_PANEL = (5.0, 3.2)
_HANDLE = 0.6
_FONT_SIZE = 9.0
# The colour of a curve without a label. The others have ten colours, then the
# same ones dashed, and so on.
_NO_LABEL = '0.3'
_COLORS, _STYLES = 10, ('-', '--', ':', '-.')


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
      deviation shaded. A group named '' is not listed in the legend.
    columns: number of panels side by side.

  Returns:
    The figure. A group has the same colour in all panels; one legend below them
    lists all groups.

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
  names = {name: None for groups in panels.values() for name in groups if name}
  styles = {name: _style(k) for k, name in enumerate(names)}
  width, height = _PANEL
  legend, legend_height = _legend(list(names), width * columns)
  figure = Figure(
    figsize=(width * columns, height * rows + legend_height),
    layout='constrained',
  )
  handles = {}
  for index, (title, groups) in enumerate(panels.items()):
    axes = figure.add_subplot(rows, columns, index + 1)
    for name, curves in groups.items():
      style = styles.get(name, {'color': _NO_LABEL})
      handles[name] = _draw(axes, curves, style)
    axes.set_title(fit_label(title, width=width - 1, size=12.0, lines=2))
    axes.set_xlabel('epoch')
    axes.grid(alpha=0.3)
  if names:
    figure.legend(
      handles=[handles[name] for name in names],
      loc='outside lower center',
      **legend,
    )
  return figure


def _style(index: int) -> dict[str, Any]:
  return {
    'color': f'C{index % _COLORS}',
    'linestyle': _STYLES[index // _COLORS % len(_STYLES)],
  }


def _draw(
  axes: 'matplotlib.axes.Axes',
  curves: Sequence[Curve],
  style: Mapping[str, Any],
) -> 'matplotlib.lines.Line2D':
  """Draws the mean of curves and their deviation; returns the line."""
  mean, deviation = _mean(curves)
  marker = 'o' if len(mean.epochs) < 20 else None
  (line,) = axes.plot(*mean, marker=marker, markersize=3, **style)
  if len(curves) > 1:
    axes.fill_between(
      mean.epochs,
      mean.values - deviation,
      mean.values + deviation,
      color=style['color'],
      alpha=0.2,
      linewidth=0,
    )
  return line


def _legend(names: Sequence[str], width: float) -> tuple[dict[str, Any], float]:
  """Returns the texts and columns of a legend, and its height in inches."""
  labels = [
    fit_label(name, width=width - 2 * _HANDLE, size=_FONT_SIZE, lines=4)
    for name in names
  ]
  widths = [
    text_width(line, size=_FONT_SIZE)
    for label in labels
    for line in label.splitlines()
  ]
  columns = max(1, int(width / (max(widths, default=width) + 2 * _HANDLE)))
  rows = -(-len(labels) // columns)
  tallest = max(
    (text_height(label, size=_FONT_SIZE) for label in labels), default=0.0
  )
  texts = {'labels': labels, 'ncols': columns, 'fontsize': _FONT_SIZE}
  return texts, rows * (tallest + 0.1)


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
