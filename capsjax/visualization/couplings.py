"""Which primary capsules vote for the winning class, over the image."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from capsjax.visualization.panels import FONT_SIZE

if TYPE_CHECKING:
  import matplotlib.figure

# The side of an image, in inches.
_SIDE = 1.5


def coupling_map(
  couplings: Float[np.ndarray, 'n in_caps'],
  votes: Float[np.ndarray, 'n in_caps dim'],
  capsules: Float[np.ndarray, 'n dim'],
  grid: tuple[int, int],
) -> Float[np.ndarray, 'n rows columns']:
  """What the primary capsules of each position add to one class capsule.

  Args:
    couplings: those to the class, `c_ij`.
    votes: those for the class, `u^_j|i`.
    capsules: the class capsules, `v_j`.
    grid: rows and columns of positions; all types of one come together.

  Returns:
    The sum over the types of coupling times vote, along the class capsule:
    what votes against it is negative. All positions add up to the length of
    `s_j` (Eq. 2), if no bias is added to it.
  """
  lengths = np.linalg.norm(capsules, axis=-1, keepdims=True)
  directions = capsules / np.maximum(lengths, np.finfo(capsules.dtype).tiny)
  along = couplings * np.einsum('nie,ne->ni', votes, directions)
  return along.reshape(len(couplings), *grid, -1).sum(-1)


def coupling_figure(
  images: Float[np.ndarray, 'n h w c'],
  maps: Float[np.ndarray, 'n rows columns'],
  titles: Sequence[str],
  *,
  columns: int = 5,
) -> 'matplotlib.figure.Figure':
  """Draws maps over images.

  Args:
    images: of any range, for networks see standardised ones too; each is drawn
      in grey, black where it is darkest and white where it is brightest.
    maps: as `coupling_map` returns them.
    titles: what to call each image.
    columns: images side by side.

  Returns:
    The figure; all maps have one scale, with 0 in the middle.
  """
  from matplotlib.figure import Figure

  columns = min(columns, len(images))
  rows = math.ceil(len(images) / columns)
  figure = Figure(
    figsize=(_SIDE * columns + 0.8, (_SIDE + 0.25) * rows),
    layout='constrained',
  )
  height, width = images.shape[1:3]
  extent = (-0.5, width - 0.5, height - 0.5, -0.5)
  panels = figure.subplots(rows, columns, squeeze=False)
  limit = abs(maps).max()
  for axes in panels.flat:
    axes.set_axis_off()
  for axes, image, share, title in zip(
    panels.flat, images, maps, titles, strict=False
  ):
    axes.imshow(image.mean(-1), cmap='gray', extent=extent)
    shown = axes.imshow(
      share,
      cmap='RdBu_r',
      vmin=-limit,
      vmax=limit,
      alpha=0.6,
      interpolation='bilinear',
      extent=extent,
    )
    axes.set_title(title, fontsize=FONT_SIZE + 1, parse_math=False)
  figure.colorbar(
    shown, ax=panels, label='for the class (red), against it (blue)'
  )
  return figure
