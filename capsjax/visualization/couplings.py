"""Maps of where in an image the votes for the winning class come from."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from capsjax.visualization.image_axes import GAP, add_axes
from capsjax.visualization.labels import fit_parts, text_height

if TYPE_CHECKING:
  import matplotlib.axes
  import matplotlib.figure
  import matplotlib.image

# The width of an image, and of the colour bar and its labels, in inches.
_SIDE = 1.4
_BAR = 0.15
_BAR_AND_LABELS = 0.9
_FONT_SIZE = 8.0


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
  """Draws images above their maps.

  Args:
    images: images of any range, since they may be standardised. Each is drawn
      in grey, from black at its minimum to white at its maximum.
    maps: results of `coupling_map`.
    titles: the title of each image. Its lines are joined if they fit on one.
    columns: number of images side by side.

  Returns:
    The figure. All maps share one colour scale, centred at 0. A thin line in
    each map divides the dark parts of the image from the light ones.

  Examples:
    >>> import numpy as np
    >>> from capsjax import visualization
    >>> images = np.random.default_rng(0).random((2, 28, 28, 1))
    >>> maps = np.random.default_rng(1).normal(size=(2, 6, 6))
    >>> figure = visualization.coupling_figure(images, maps, ['seven', 'two'])
    >>> figure.savefig('couplings.png')
  """
  from matplotlib.figure import Figure

  heads = [
    fit_parts(title.splitlines(), width=_SIDE, size=_FONT_SIZE, lines=2)
    for title in titles
  ]
  above = max(text_height(head, size=_FONT_SIZE) for head in heads) + 2 * GAP
  side = _SIDE * images.shape[1] / images.shape[2]
  width, height = _SIDE + GAP, above + 2 * side + GAP
  columns = min(columns, len(images))
  rows = math.ceil(len(images) / columns)
  figure = Figure(
    figsize=(columns * width + _BAR_AND_LABELS, rows * height + GAP)
  )
  limit = float(abs(maps).max())
  for index, head in enumerate(heads):
    row, column = divmod(index, columns)
    x, y = column * width + GAP, row * height + above
    image = images[index].mean(-1)
    axes = add_axes(figure, x, y, _SIDE, side)
    axes.set_axis_off()
    axes.imshow(image, cmap='gray')
    axes.set_title(head, fontsize=_FONT_SIZE, pad=3, parse_math=False)
    axes = add_axes(figure, x, y + side + GAP, _SIDE, side)
    shown = _draw_map(axes, image, maps[index], limit)
  axes = add_axes(
    figure, columns * width + GAP, above, _BAR, rows * height - above - GAP
  )
  figure.colorbar(shown, cax=axes)
  axes.tick_params(labelsize=_FONT_SIZE)
  axes.set_ylabel('for the class (red), against (blue)', fontsize=_FONT_SIZE)
  return figure


def _draw_map(
  axes: 'matplotlib.axes.Axes',
  image: Float[np.ndarray, 'h w'],
  share: Float[np.ndarray, 'rows columns'],
  limit: float,
) -> 'matplotlib.image.AxesImage':
  """Draws a map and a line between dark and light; returns what is coloured."""
  height, width = image.shape
  axes.set_axis_off()
  # Opaque, and interpolated before it is coloured: a colour over a grey image,
  # or between two colours, is not in the colour bar.
  shown = axes.imshow(
    share,
    cmap='RdBu_r',
    vmin=-limit,
    vmax=limit,
    interpolation='bilinear',
    interpolation_stage='data',
    extent=(-0.5, width - 0.5, height - 0.5, -0.5),
  )
  low, high = image.min(), image.max()
  if low < high:
    middle = (low + high) / 2
    axes.contour(image, levels=[middle], colors='0.25', linewidths=0.7)
  return shown
