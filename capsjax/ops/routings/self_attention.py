"""Self-attention routing: one pass, without iterations."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routing import SquashFn
from capsjax.ops.routings.arguments import finish, prepare
from capsjax.ops.routings.normalization import over_parents
from capsjax.ops.squash import exponential_squash, lengths


def self_attention_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  priors: Float[Array, 'in_caps out_caps'] | None = None,
  squash_fn: SquashFn = exponential_squash,
  normalize: NormalizeFn = over_parents,
  return_couplings: bool = False,
) -> Routed:
  """Routes each capsule by how well its votes agree with all the others'.

  The agreement of capsule i about capsule j is the sum of the inner products of
  its vote with the votes of all input capsules for j, itself included, divided
  by `sqrt(dim)`. The couplings are its softmax over j, plus the priors.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: ignored but for their shape; the poses' lengths take their
      place.
    priors: added to the couplings after the softmax, so that they need not sum
      to 1; none if not given.
    squash_fn: shrinks the weighted sum of the votes.
    normalize: replaces the softmax over j.
    return_couplings: also returns the couplings, of one iteration.

  Returns:
    Capsules, whose activations are the lengths of their poses; with
    `return_couplings`, a pair of the capsules and the couplings.

  Examples:
    Three capsules vote for two. Their votes for the first agree:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import ops
    >>> votes = jnp.array([
    ...   [[1.0, 0.0], [0.0, 1.0]],
    ...   [[1.0, 0.0], [0.0, -1.0]],
    ...   [[1.0, 0.0], [1.0, 0.0]],
    ... ])
    >>> capsules, couplings = ops.self_attention_routing(
    ...   votes, jnp.ones(3), return_couplings=True
    ... )
    >>> print(np.asarray(couplings[-1]).round(2))
    [[0.89 0.11]
     [0.89 0.11]
     [0.8  0.2 ]]

  References:
    Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with
    self-attention routing", 2021.
  """
  wide, _ = prepare(votes, activations)
  # All inner products of a vote at once: with the sum of the votes.
  total = jnp.sum(wide, -3)
  agreement = jnp.einsum('...ije,...je->...ij', wide, total)
  couplings = normalize(agreement / wide.shape[-1] ** 0.5)
  if priors is not None:
    couplings += jnp.broadcast_to(priors.astype(wide.dtype), couplings.shape)
  poses = squash_fn(jnp.einsum('...ij,...ije->...je', couplings, wide))
  return finish(
    poses,
    lengths(poses),
    [couplings],
    votes=votes,
    return_couplings=return_couplings,
  )
