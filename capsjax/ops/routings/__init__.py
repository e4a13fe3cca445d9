"""Routing algorithms as functions of votes and activations.

Every function here maps votes `[*batch, in_caps, out_caps, *pose]` and
activations `[*batch, in_caps]` to `Capsules`. With `return_couplings`, it also
returns the couplings `[num_iterations, *batch, in_caps, out_caps]`. It computes
in float32 or wider and returns the dtype of the votes.
"""

from capsjax.ops.routings.self_attention import self_attention_routing

__all__ = ['self_attention_routing']
