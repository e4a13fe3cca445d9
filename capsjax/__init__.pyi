# Public names and their modules, read by type checkers and lazy_loader.

from .errors import UserError
from .layers import (
  Convolution,
  Decoder,
  DenseCapsules,
  PrimaryCapsules,
  RoutingFn,
  capsule_statistics,
)
from .models import BaselineCNN, CapsNet, ModelOutput, create_model
from .ops import (
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
  top_k_masks,
)
from .runs.configuration import default_config

__version__: str

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
  'capsule_statistics',
  'compute_votes',
  'convolution',
  'create_model',
  'default_config',
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
  'top_k_masks',
]
