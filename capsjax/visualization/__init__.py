"""Figures and HTML pages of what a capsule network computes.

All functions take and return NumPy arrays, matplotlib figures or text. None
needs a model.
"""

from capsjax.visualization.confusion import confusion_figure
from capsjax.visualization.couplings import coupling_figure, coupling_map
from capsjax.visualization.curves import Curve, curves_figure
from capsjax.visualization.explorer import explorer_page
from capsjax.visualization.grid import image_grid
from capsjax.visualization.image_axes import draw_grid
from capsjax.visualization.overlaps import overlap_figure, overlay
from capsjax.visualization.perturbations import (
  perturb_capsules,
  perturbation_figure,
)
from capsjax.visualization.pixels import figure_pixels
from capsjax.visualization.reconstructions import reconstruction_figure
from capsjax.visualization.report import (
  Block,
  Section,
  Table,
  report_page,
)

__all__ = [
  'Block',
  'Curve',
  'Section',
  'Table',
  'confusion_figure',
  'coupling_figure',
  'coupling_map',
  'curves_figure',
  'draw_grid',
  'explorer_page',
  'figure_pixels',
  'image_grid',
  'overlap_figure',
  'overlay',
  'perturb_capsules',
  'perturbation_figure',
  'reconstruction_figure',
  'report_page',
]
