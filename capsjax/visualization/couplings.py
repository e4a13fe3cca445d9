"""Maps of where in an image the votes for the winning class come from."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from capsjax.visualization.panels import FONT_SIZE

if TYPE_CHECKING:
  import matplotlib.figure

# The side of an image in inches.
_SIDE = 1.5


def coupling_map(
  couplings: Float[np.ndarray, 'n in_caps'],
  votes: Float[np.ndarray, 'n in_caps dim'],
  capsules: Float[np.ndarray, 'n dim'],
  grid: tuple[int, int],
) -> Float[np.ndarray, 'n rows columns']:
  """Computes what the primary capsules at each position add to one class.

  Args:
    couplings: couplings to the class, `c_ij`.
    votes: votes for the class, `u^_j|i`.
    capsules: the class capsules, `v_j`.
    grid: rows and columns of positions. The capsules of one position are
      adjacent in `in_caps`.

  Returns:
    Coupling times vote, projected onto the direction of the class capsule and
    summed over the types at each position. Votes against the class are
    negative. The sum over all positions is the length of `s_j` (Eq. 2), if it
    has no bias.

  Examples:
    At the left of two positions a capsule votes for the class, and at the right
    one votes against it:

    >>> import numpy as np
    >>> from capsjax import visualization
    >>> visualization.coupling_map(
    ...   couplings=np.array([[0.5, 0.5]]),
    ...   votes=np.array([[[2.0, 0.0], [-1.0, 3.0]]]),
    ...   capsules=np.array([[0.4, 0.0]]),
    ...   grid=(1, 2),
    ... )
    array([[[ 1. , -0.5]]])
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
    images: images of any range, since they may be standardised. Each is drawn
      in grey, from black at its minimum to white at its maximum.
    maps: results of `coupling_map`.
    titles: the title of each image.
    columns: number of images side by side.

  Returns:
    The figure. All maps share one colour scale, centred at 0.

  Examples:
    >>> import numpy as np
    >>> from capsjax import visualization
    >>> images = np.random.default_rng(0).random((2, 28, 28, 1))
    >>> maps = np.random.default_rng(1).normal(size=(2, 6, 6))
    >>> figure = visualization.coupling_figure(images, maps, ['seven', 'two'])
    >>> figure.savefig('couplings.png')
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
