"""Pure array functions: squash, routing, losses, masks, convolution.

Every function takes arrays with any number of leading batch axes, in float16,
bfloat16, float32 or float64, and works under every transformation of JAX. None
of them needs Flax. Precision is stated for a CPU; on a GPU or TPU it follows
`jax.default_matmul_precision`.

Einsum letters used in the package: `b` batch, `i` input capsule, `j` output
capsule, `d` input capsule dimension, `e` output capsule dimension.
"""

from capsjax.ops.capsules import Capsules, NormalizeFn, Routed
from capsjax.ops.convolution import convolution
from capsjax.ops.fused_routing import fused_dynamic_routing
from capsjax.ops.losses import (
  activation_nll,
  margin_loss,
  reconstruction_loss,
  spread_loss,
)
from capsjax.ops.masks import (
  label_mask,
  longest_mask,
  mask_capsules,
  top_k_mask,
  top_k_masks,
)
from capsjax.ops.primary import primary_capsules
from capsjax.ops.routing import (
  SquashFn,
  compute_votes,
  dynamic_routing,
  routing_iteration,
)
from capsjax.ops.routings import (
  OverReceptiveFields,
  agreement_routing,
  em_routing,
  inverted_attention_routing,
  no_routing,
  over_parents,
  receptive_fields,
  self_attention_routing,
  self_routing,
  variational_routing,
)
from capsjax.ops.squash import exponential_squash, lengths, squash

__all__ = [
  'Capsules',
  'NormalizeFn',
  'OverReceptiveFields',
  'Routed',
  'SquashFn',
  'activation_nll',
  'agreement_routing',
  'compute_votes',
  'convolution',
  'dynamic_routing',
  'em_routing',
  'exponential_squash',
  'fused_dynamic_routing',
  'inverted_attention_routing',
  'label_mask',
  'lengths',
  'longest_mask',
  'margin_loss',
  'mask_capsules',
  'no_routing',
  'over_parents',
  'primary_capsules',
  'receptive_fields',
  'reconstruction_loss',
  'routing_iteration',
  'self_attention_routing',
  'self_routing',
  'spread_loss',
  'squash',
  'top_k_mask',
  'top_k_masks',
  'variational_routing',
]
