"""Self-routing: each capsule decides by itself where its vote goes."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routings.arguments import divide, finish, prepare
from capsjax.ops.routings.normalization import over_parents


def self_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  routing_logits: Float[Array, '*batch in_caps out_caps'],
  normalize: NormalizeFn = over_parents,
  return_couplings: bool = False,
) -> Routed:
  """Routes by given logits, which each capsule computes from its own pose.

  The votes need not agree. An output capsule's activation is the mean of its
  couplings, and its pose is the mean of its votes, both weighted by the
  activations of the input capsules; both are 0 if all those are 0.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: those of the input capsules, at least 0.
    routing_logits: the logarithms of the couplings before normalisation.
    normalize: what the couplings of a child are normalised over.
    return_couplings: also returns the couplings, of one iteration.

  Returns:
    Capsules; with `return_couplings`, a pair of the capsules and the couplings.

  Examples:
    The first capsule decides for one parent, and the second for both alike:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import ops
    >>> votes = jnp.ones((2, 2, 4))  # [in, out, dim]
    >>> logits = jnp.log(jnp.array([[0.9, 0.1], [0.5, 0.5]]))
    >>> capsules = ops.self_routing(votes, jnp.ones(2), routing_logits=logits)
    >>> print(np.asarray(capsules.activations).round(2))
    [0.7 0.3]

  References:
    Hahn, Pyeon, Kim, "Self-Routing Capsule Networks", 2019.
  """
  wide, weights = prepare(votes, activations)
  couplings = normalize(routing_logits.astype(wide.dtype))
  shares = couplings * weights[..., None]
  mass = jnp.sum(shares, -2)
  total = jnp.sum(weights, -1, keepdims=True)
  sums = jnp.einsum('...ij,...ije->...je', shares, wide)
  return finish(
    divide(sums, mass[..., None]),
    divide(mass, total),
    [couplings],
    votes=votes,
    return_couplings=return_couplings,
  )
