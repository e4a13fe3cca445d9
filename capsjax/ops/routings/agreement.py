"""Dynamic routing of capsules whose poses have any shape."""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routing import SquashFn, check_num_iterations
from capsjax.ops.routings.arguments import equal_logits, finish, prepare
from capsjax.ops.routings.normalization import over_parents
from capsjax.ops.squash import lengths, squash


def agreement_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  num_iterations: int = 3,
  stop_gradient: bool = False,
  bias: Float[Array, 'out_caps ...'] | None = None,
  log_priors: Float[Array, 'in_caps out_caps'] | None = None,
  squash_fn: SquashFn = squash,
  normalize: NormalizeFn = over_parents,
  return_couplings: bool = False,
) -> Routed:
  """Routes by agreement (Procedure 1), for comparison with other routings.

  Where the poses are vectors and parents compete at one position only,
  `fused_dynamic_routing` computes the same much faster.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: ignored but for their shape; the poses' lengths take their
      place.
    num_iterations: the number of iterations r (softmaxes), at least 1.
    stop_gradient: treats the couplings as constants.
    bias: `[out_caps, *pose]`, added to the preactivations before every squash.
    log_priors: initial routing logits; zeros if not given.
    squash_fn: shrinks the weighted sum of the votes.
    normalize: replaces the softmax over the output capsules.
    return_couplings: also returns the couplings of every iteration.

  Returns:
    Capsules, whose activations are the lengths of their poses; with
    `return_couplings`, a pair of the capsules and the couplings.

  Raises:
    ValueError: if `num_iterations` is below 1.

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
    >>> capsules, couplings = ops.agreement_routing(
    ...   votes, jnp.ones(3), return_couplings=True
    ... )
    >>> print(np.asarray(couplings[-1]).round(2))
    [[0.82 0.18]
     [0.82 0.18]
     [0.76 0.24]]
    >>> print(np.asarray(capsules.activations).round(2))
    [0.85 0.05]

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017,
    Procedure 1.
  """
  check_num_iterations(num_iterations)
  wide, _ = prepare(votes, activations)
  logits = equal_logits(wide)
  if log_priors is not None:
    logits += jnp.broadcast_to(log_priors.astype(wide.dtype), logits.shape)
  all_couplings = []
  for _ in range(num_iterations):
    couplings = normalize(logits)
    all_couplings.append(couplings)
    preactivations = jnp.einsum('...ij,...ije->...je', couplings, wide)
    if bias is not None:
      flat = bias.astype(wide.dtype).reshape(wide.shape[-2:])
      preactivations += jnp.broadcast_to(flat, preactivations.shape)
    poses = squash_fn(preactivations)
    agreement = jnp.einsum('...ije,...je->...ij', wide, poses)
    logits += lax.stop_gradient(agreement) if stop_gradient else agreement
  return finish(
    poses,
    lengths(poses),
    all_couplings,
    votes=votes,
    return_couplings=return_couplings,
  )
