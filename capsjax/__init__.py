"""Capsule networks in JAX: "Dynamic Routing Between Capsules" and beyond."""

from importlib import metadata

from capsjax.errors import UserError
from capsjax.layers import (
  Convolution,
  Decoder,
  DenseCapsules,
  PrimaryCapsules,
  RoutingFn,
)
from capsjax.models import BaselineCNN, CapsNet, ModelOutput, create_model
from capsjax.ops import (
  SquashFn,
  compute_votes,
  convolution,
  dynamic_routing,
  fused_dynamic_routing,
  label_mask,
  lengths,
  longest_mask,
  margin_loss,
  mask_capsules,
  reconstruction_loss,
  routing_iteration,
  squash,
  top_k_mask,
)

__version__ = metadata.version('capsjax')

__all__ = [
  'BaselineCNN',
  'CapsNet',
  'Convolution',
  'Decoder',
  'DenseCapsules',
  'ModelOutput',
  'PrimaryCapsules',
  'RoutingFn',
  'SquashFn',
  'UserError',
  'compute_votes',
  'convolution',
  'create_model',
  'dynamic_routing',
  'fused_dynamic_routing',
  'label_mask',
  'lengths',
  'longest_mask',
  'margin_loss',
  'mask_capsules',
  'reconstruction_loss',
  'routing_iteration',
  'squash',
  'top_k_mask',
]
