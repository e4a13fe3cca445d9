"""Flax Linen layers built on `capsjax.ops`.

Capsules are arrays `[*batch, num_capsules, dim]` in `PrimaryCapsules` and
`DenseCapsules`, and `ops.Capsules` with poses and activations in all other
layers. Those are made of parts: votes, a routing, and a normalisation.
"""

from capsjax.layers.convolution import Convolution
from capsjax.layers.convolutional import ConvCapsules, GridCapsules
from capsjax.layers.decoder import Decoder
from capsjax.layers.dense import DenseCapsules, RoutingFn
from capsjax.layers.depthwise import WholeMapConvolution
from capsjax.layers.normalization import CapsuleBatchNorm, batch_norm
from capsjax.layers.pose_primary import PosePrimaryCapsules
from capsjax.layers.primary import PrimaryCapsules
from capsjax.layers.routed import (
  CapsuleNorm,
  RoutedCapsules,
  RouteFn,
  Routing,
)
from capsjax.layers.routings import (
  AgreementRouting,
  EMRouting,
  InvertedAttentionRouting,
  NoRouting,
  SelfAttentionRouting,
  SelfRouting,
  VariationalRouting,
)
from capsjax.layers.statistics import capsule_statistics
from capsjax.layers.votes import (
  ElementwiseVotes,
  FullVotes,
  MatrixVotes,
  VoteFn,
  Votes,
)

__all__ = [
  'AgreementRouting',
  'CapsuleBatchNorm',
  'CapsuleNorm',
  'ConvCapsules',
  'Convolution',
  'Decoder',
  'DenseCapsules',
  'EMRouting',
  'ElementwiseVotes',
  'FullVotes',
  'GridCapsules',
  'InvertedAttentionRouting',
  'MatrixVotes',
  'NoRouting',
  'PosePrimaryCapsules',
  'PrimaryCapsules',
  'RouteFn',
  'RoutedCapsules',
  'Routing',
  'RoutingFn',
  'SelfAttentionRouting',
  'SelfRouting',
  'VariationalRouting',
  'VoteFn',
  'Votes',
  'WholeMapConvolution',
  'batch_norm',
  'capsule_statistics',
]
