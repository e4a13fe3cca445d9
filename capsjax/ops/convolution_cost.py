"""Which way of computing a convolution on the CPU costs least, by shapes.

Costs are in floating-point operations of forward and backward pass together. A
number written to memory and read again counts as `_MOVE` operations: what a
core computes by matrix products while it moves one.
"""

import functools
import itertools
import math

from capsjax.ops import bilinear, phases
from capsjax.ops.window import Window

_MOVE = 20
# Larger transforms are dearer than their savings, and lose accuracy.
_LARGEST_TRANSFORM = 20


@functools.cache
def choose_tile(
  window: Window, batch: int, in_channels: int, out_channels: int
) -> tuple[int, int] | None:
  """The tile that makes the bilinear way cheapest.

  Args:
    window: the geometry of the convolution.
    batch: the number of images.
    in_channels: channels of the images.
    out_channels: channels of the feature maps.

  Returns:
    The number of outputs of a tile, or None if patches are cheaper.
  """
  costs = {
    tile: _bilinear_cost(window, tile, batch, in_channels, out_channels)
    for tile in _candidates(window)
  }
  tile = min(costs, key=costs.__getitem__, default=None)
  patches = _patches_cost(window, batch, in_channels, out_channels)
  return tile if tile is not None and costs[tile] < patches else None


def _candidates(window):
  """Tiles that split the outputs evenly, by the number of tiles."""
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
  """Real products of a real transform: 1 for a real frequency, 3 for a pair."""
  real = math.prod(2 if size % 2 == 0 else 1 for size in sizes)
  return real + 3 * (math.prod(sizes) - real) // 2


def _patches_cost(window, batch, in_channels, out_channels):
  patches = (
    batch * math.prod(window.outputs) * math.prod(window.kernel) * in_channels
  )
  return 6 * patches * out_channels + _MOVE * 4 * patches
