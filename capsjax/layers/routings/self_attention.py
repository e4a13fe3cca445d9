"""Self-attention routing with learned priors."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops


class SelfAttentionRouting(nn.Module):
  """`ops.self_attention_routing`, with learned priors.

  Attributes:
    use_priors: whether a learned number, 0 at first, is added to the coupling
      of each pair of capsules.
    squash_fn: shrinks the weighted sum of the votes.
    param_dtype: the dtype of the priors.
  """

  use_priors: bool = True
  squash_fn: ops.SquashFn = ops.exponential_squash
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    inputs: ops.Capsules,
    votes: Float[Array, '...'],
    *,
    train: bool = False,
    axis_name: str | None = None,
    return_couplings: bool = False,
  ) -> ops.Routed:
    """Routes votes, as `capsjax.layers.Routing` describes."""
    del train, axis_name  # There are no statistics.
    priors = None
    if self.use_priors:
      rank = inputs.activations.ndim
      shape = votes.shape[rank - 1 : rank + 1]
      priors = self.param(
        'priors', nn.initializers.zeros, shape, self.param_dtype
      )
    return ops.self_attention_routing(
      votes,
      inputs.activations,
      priors=priors,
      squash_fn=self.squash_fn,
      return_couplings=return_couplings,
    )
