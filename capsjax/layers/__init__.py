"""Flax Linen layers built on `capsjax.ops`.

Every capsule layer maps `[*batch, in_caps, in_dim]` to `[*batch, out_caps,
out_dim]`, so layers stack to any depth; only `PrimaryCapsules` takes images.
"""

from capsjax.layers.convolution import Convolution
from capsjax.layers.decoder import Decoder
from capsjax.layers.dense import DenseCapsules, RoutingFn
from capsjax.layers.primary import PrimaryCapsules
from capsjax.layers.statistics import capsule_statistics

__all__ = [
  'Convolution',
  'Decoder',
  'DenseCapsules',
  'PrimaryCapsules',
  'RoutingFn',
  'capsule_statistics',
]
