# Public names and their modules, read by type checkers and lazy_loader.

from . import (
  data,
  examples,
  layers,
  models,
  nnx,
  ops,
  runs,
  training,
  visualization,
)
from .data import Dataset, dataset_from_arrays
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
  primary_capsules,
  reconstruction_loss,
  routing_iteration,
  squash,
  top_k_mask,
  top_k_masks,
)
from .runs.api import train
from .runs.configuration import default_config
from .runs.loading import load
from .runs.trained_run import TrainedRun

__version__: str

__all__ = [
  'BaselineCNN',
  'CapsNet',
  'Convolution',
  'Dataset',
  'Decoder',
  'DenseCapsules',
  'ModelOutput',
  'PrimaryCapsules',
  'RoutingFn',
  'SquashFn',
  'TrainedRun',
  'UserError',
  'capsule_statistics',
  'compute_votes',
  'convolution',
  'create_model',
  'data',
  'dataset_from_arrays',
  'default_config',
  'dynamic_routing',
  'examples',
  'fused_dynamic_routing',
  'label_mask',
  'layers',
  'lengths',
  'load',
  'longest_mask',
  'margin_loss',
  'mask_capsules',
  'models',
  'nnx',
  'ops',
  'primary_capsules',
  'reconstruction_loss',
  'routing_iteration',
  'runs',
  'squash',
  'top_k_mask',
  'top_k_masks',
  'train',
  'training',
  'visualization',
]
