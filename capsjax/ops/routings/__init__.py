"""Routing algorithms as functions of votes and activations.

Every function here maps votes `[*batch, in_caps, out_caps, *pose]` and
activations `[*batch, in_caps]` to `Capsules`. With `return_couplings`, it also
returns the couplings `[num_iterations, *batch, in_caps, out_caps]`. `normalize`
chooses which parents compete for a child. All compute in float32 or wider, and
return the dtype of the votes.
"""

from capsjax.ops.routings.agreement import agreement_routing
from capsjax.ops.routings.em import em_routing
from capsjax.ops.routings.inverted_attention import inverted_attention_routing
from capsjax.ops.routings.none import no_routing
from capsjax.ops.routings.normalization import (
  OverReceptiveFields,
  over_parents,
  receptive_fields,
)
from capsjax.ops.routings.self_attention import self_attention_routing
from capsjax.ops.routings.self_routing import self_routing
from capsjax.ops.routings.variational import variational_routing

__all__ = [
  'OverReceptiveFields',
  'agreement_routing',
  'em_routing',
  'inverted_attention_routing',
  'no_routing',
  'over_parents',
  'receptive_fields',
  'self_attention_routing',
  'self_routing',
  'variational_routing',
]
