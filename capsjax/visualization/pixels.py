"""Figures as arrays, for writers that take pictures only."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
  import matplotlib.figure


def figure_pixels(
  figure: 'matplotlib.figure.Figure',
) -> UInt8[np.ndarray, 'height width 3']:
  """Renders a figure as RGB pixels.

  Examples:
    >>> from capsjax import visualization
    >>> from matplotlib.figure import Figure
    >>> visualization.figure_pixels(Figure(figsize=(3, 2), dpi=100)).shape
    (200, 300, 3)
  """
  from matplotlib.backends.backend_agg import FigureCanvasAgg

  canvas = FigureCanvasAgg(figure)
  canvas.draw()
  return np.asarray(canvas.buffer_rgba())[..., :3].copy()
