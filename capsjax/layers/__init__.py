"""Flax Linen layers built on `capsjax.ops`.

Every capsule layer maps `[*batch, in_caps, in_dim]` to `[*batch, out_caps,
out_dim]`, so layers stack to any depth; only `PrimaryCapsules` takes images.
"""

from capsjax.layers.convolution import Convolution
from capsjax.layers.decoder import Decoder
from capsjax.layers.dense import DenseCapsules, RoutingFn
from capsjax.layers.depthwise import WholeMapConvolution
from capsjax.layers.normalization import batch_norm
from capsjax.layers.primary import PrimaryCapsules
from capsjax.layers.routed import RoutedCapsules, Routing
from capsjax.layers.routings import SelfAttentionRouting
from capsjax.layers.statistics import capsule_statistics
from capsjax.layers.votes import FullVotes, Votes

__all__ = [
  'Convolution',
  'Decoder',
  'DenseCapsules',
  'FullVotes',
  'PrimaryCapsules',
  'RoutedCapsules',
  'Routing',
  'RoutingFn',
  'SelfAttentionRouting',
  'Votes',
  'WholeMapConvolution',
  'batch_norm',
  'capsule_statistics',
]
