"""Chooses the cheapest way to compute a convolution on a CPU by its shapes.

Costs are floating-point operations of the forward and backward pass together.
Writing a number to memory and reading it back counts as `_MOVE` operations:
what a core computes by matrix products in that time.
"""

import functools
import itertools
import math

from capsjax.ops import bilinear, phases
from capsjax.ops.window import Window

_MOVE = 20
# Larger transforms cost more than they save, and lose accuracy.
_LARGEST_TRANSFORM = 20


@functools.cache
def choose_tile(
  window: Window, batch: int, in_channels: int, out_channels: int
) -> tuple[int, int] | None:
  """Returns the tile that makes the bilinear method cheapest.

  Args:
    window: the geometry of the convolution.
    batch: the number of images.
    in_channels: channels of the images.
    out_channels: channels of the feature maps.

  Returns:
    Outputs per tile, or None if patches are cheaper.
  """
  costs = {
    tile: _bilinear_cost(window, tile, batch, in_channels, out_channels)
    for tile in _candidates(window)
  }
  tile = min(costs, key=costs.__getitem__, default=None)
  patches = _patches_cost(window, batch, in_channels, out_channels)
  return tile if tile is not None and costs[tile] < patches else None


def _candidates(window):
  """Returns tiles that split the outputs evenly, for each number of tiles."""
  sizes = [
    sorted({-(-outputs // count) for count in range(1, outputs + 1)})
    for outputs in window.outputs
  ]
  return [
    tile
    for tile in itertools.product(*sizes)
    if max(_transform_size(window, tile)) <= _LARGEST_TRANSFORM
  ]


def _transform_size(window, tile):
  taps = phases.taps(window)
  return tuple(m + t - 1 for m, t in zip(tile, taps, strict=True))


def _bilinear_cost(window, tile, batch, in_channels, out_channels):
  rows = math.prod(bilinear.num_tiles(window, tile)) * batch
  channels = math.prod(window.strides) * in_channels
  sides = (
    (math.prod(_transform_size(window, tile)), rows * channels),
    (math.prod(phases.taps(window)), channels * out_channels),
    (math.prod(tile), rows * out_channels),
  )
  products = _num_products(_transform_size(window, tile))
  arithmetic = 6 * products * rows * channels * out_channels
  transforms = sum(4 * products * size * columns for size, columns in sides)
  moves = sum(2 * (products + size) * columns for size, columns in sides)
  return arithmetic + transforms + _MOVE * moves


def _num_products(sizes):
  """Counts real products: 1 per real frequency, 3 per conjugate pair."""
  real = math.prod(2 if size % 2 == 0 else 1 for size in sizes)
  return real + 3 * (math.prod(sizes) - real) // 2


def _patches_cost(window, batch, in_channels, out_channels):
  patches = (
    batch * math.prod(window.outputs) * math.prod(window.kernel) * in_channels
  )
  return 6 * patches * out_channels + _MOVE * 4 * patches
