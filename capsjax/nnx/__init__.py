"""Flax NNX layers and the network, over the same functions as the Linen ones.

Parameters have the names and shapes of the Linen modules, so that
`load_params` takes those of a trained run.
"""

from capsjax.nnx.capsnet import CapsNet
from capsjax.nnx.layers import (
  Convolution,
  Decoder,
  DenseCapsules,
  PrimaryCapsules,
)
from capsjax.nnx.params import load_params

__all__ = [
  'CapsNet',
  'Convolution',
  'Decoder',
  'DenseCapsules',
  'PrimaryCapsules',
  'load_params',
]
