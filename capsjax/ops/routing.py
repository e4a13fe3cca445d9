"""Routing by agreement over votes: Procedure 1 and its single iteration."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.arguments import require_floating
from capsjax.ops.squash import squash

#: Maps preactivations [..., dim] to capsules of the same shape, length below 1.
SquashFn = Callable[[Float[Array, '...']], Float[Array, '...']]


def compute_votes(
  inputs: Float[Array, '*batch in_caps in_dim'],
  kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
) -> Float[Array, '*batch in_caps out_caps out_dim']:
  """Computes each input capsule's prediction for each output capsule.

  Args:
    inputs: capsules `u_i` of the layer below.
    kernel: transformation matrices `W_ij`.

  Returns:
    Votes `u^_j|i = W_ij u_i` (Eq. 2).

  Examples:
    One input capsule votes for two output capsules. The first matrix is the
    identity, and the second swaps the two components:

    >>> import jax.numpy as jnp
    >>> from capsjax import compute_votes
    >>> identity, swap = jnp.eye(2), jnp.eye(2)[::-1]
    >>> kernel = jnp.stack([identity, swap])[None]
    >>> print(compute_votes(jnp.array([[3.0, 5.0]]), kernel))
    [[[3. 5.]
      [5. 3.]]]
  """
  require_floating(inputs=inputs, kernel=kernel)
  return jnp.einsum('...id,ijde->...ije', inputs, kernel)


def compute_couplings(
  routing_logits: Float[Array, '...'], *, leaky: bool, axis: int = -1
) -> Float[Array, '...']:
  """Takes the softmax over the output capsules (Eq. 3), optionally leaky.

  Args:
    routing_logits: `b_ij`.
    leaky: adds a "none of the above" logit of 0 whose share is discarded
      (paper, section 7).
    axis: the axis of the output capsules.

  Returns:
    Couplings `c_ij` in [0, 1]. Over the output capsules they sum to 1, or to
    less than 1 if leaky.
  """
  if not leaky:
    return jax.nn.softmax(routing_logits, axis)
  leak = jnp.zeros_like(lax.slice_in_dim(routing_logits, 0, 1, axis=axis))
  shares = jax.nn.softmax(jnp.concatenate([leak, routing_logits], axis), axis)
  return lax.slice_in_dim(shares, 1, None, axis=axis)


def routing_iteration(
  votes: Float[Array, '*batch in_caps out_caps dim'],
  routing_logits: Float[Array, '... in_caps out_caps'],
  *,
  leaky: bool = False,
  bias: Float[Array, 'out_caps dim'] | None = None,
  squash_fn: SquashFn = squash,
) -> tuple[
  Float[Array, '*batch out_caps dim'],
  Float[Array, '... in_caps out_caps'],
  Float[Array, '*batch in_caps out_caps'],
]:
  """Runs one iteration of Procedure 1 (lines 4 to 7).

  Args:
    votes: predictions `u^_j|i`.
    routing_logits: `b_ij` before the iteration. Logits without batch axes apply
      to every example, and the couplings have no batch axes either.
    leaky: as for `dynamic_routing`.
    bias: as for `dynamic_routing`.
    squash_fn: as for `dynamic_routing`.

  Returns:
    The capsules `v_j`, the couplings `c_ij` that produced them, and the
    agreement `u^_j|i . v_j`, which is added to the logits for the next
    iteration.

  Examples:
    Three input capsules vote for one output capsule. The third disagrees with
    the other two, so its logit falls while theirs rise:

    >>> import jax.numpy as jnp
    >>> from capsjax import routing_iteration
    >>> votes = jnp.array([[[2.0, 0.0]], [[2.0, 0.0]], [[-1.0, 0.0]]])
    >>> capsules, couplings, agreement = routing_iteration(
    ...   votes, jnp.zeros((3, 1))
    ... )
    >>> print(capsules, agreement[:, 0])
    [[0.9 0. ]] [ 1.8  1.8 -0.9]
  """
  couplings = compute_couplings(routing_logits, leaky=leaky)
  preactivations = jnp.einsum('...ij,...ije->...je', couplings, votes)
  if bias is not None:
    preactivations += jnp.broadcast_to(bias, preactivations.shape)
  capsules = squash_fn(preactivations)
  agreement = jnp.einsum('...ije,...je->...ij', votes, capsules)
  return capsules, couplings, agreement


def dynamic_routing(
  votes: Float[Array, '*batch in_caps out_caps dim'],
  *,
  num_iterations: int = 3,
  stop_gradient: bool = False,
  leaky: bool = False,
  bias: Float[Array, 'out_caps dim'] | None = None,
  log_priors: Float[Array, 'in_caps out_caps'] | None = None,
  squash_fn: SquashFn = squash,
  return_couplings: bool = False,
) -> (
  Float[Array, '*batch out_caps dim']
  | tuple[
    Float[Array, '*batch out_caps dim'],
    Float[Array, 'num_iterations *batch in_caps out_caps'],
  ]
):
  """Routes votes to output capsules by agreement (Procedure 1).

  Args:
    votes: predictions `u^_j|i`.
    num_iterations: the number of iterations r (softmaxes), at least 1. With 1
      there is no agreement: every input capsule is shared equally.
    stop_gradient: treats the couplings as constants, so that the gradient flows
      only through the last iteration's weighted sum.
    leaky: adds a "none of the above" share to each softmax (section 7).
    bias: added to the preactivations before every squash, as in the official
      code; the paper has none.
    log_priors: initial routing logits `b_ij`; zeros if not given. They can be
      learned: their gradient flows regardless of `stop_gradient`.
    squash_fn: replaces `squash`.
    return_couplings: also returns the couplings of every iteration.

  Returns:
    Output capsules `v_j`; with `return_couplings`, a pair of the capsules and
    the couplings `c_ij`, iterations first.

  Raises:
    ValueError: if `num_iterations` is below 1.

  Examples:
    Two input capsules vote for two output capsules. Their votes for the first
    agree and those for the second cancel, so routing couples both to the first:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import dynamic_routing
    >>> votes = jnp.array([
    ...   [[1.0, 0.0], [0.0, 1.0]],
    ...   [[1.0, 0.0], [0.0, -1.0]],
    ... ])
    >>> capsules, couplings = dynamic_routing(votes, return_couplings=True)
    >>> print(np.asarray(couplings[:, 0]).round(2))
    [[0.5  0.5 ]
     [0.62 0.38]
     [0.75 0.25]]
    >>> print(np.asarray(capsules).round(2))
    [[0.69 0.  ]
     [0.   0.  ]]

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017,
    Procedure 1 and section 7.
  """
  check_num_iterations(num_iterations)
  require_floating(votes=votes)
  logits_shape = votes.shape[:-1]
  # Without batch axes, so that XLA does not fold a large constant softmax.
  routing_logits = (
    jnp.zeros(logits_shape[-2:], votes.dtype)
    if log_priors is None
    else log_priors.astype(votes.dtype)
  )
  all_couplings = []
  for _ in range(num_iterations):
    capsules, couplings, agreement = routing_iteration(
      votes, routing_logits, leaky=leaky, bias=bias, squash_fn=squash_fn
    )
    all_couplings.append(couplings)
    if stop_gradient:
      agreement = lax.stop_gradient(agreement)
    routing_logits = jnp.broadcast_to(routing_logits, logits_shape) + agreement
  if not return_couplings:
    return capsules
  return capsules, jnp.stack(
    [jnp.broadcast_to(c, logits_shape) for c in all_couplings]
  )


def check_num_iterations(num_iterations: int) -> None:
  """Raises a ValueError if `num_iterations` is below 1."""
  if num_iterations < 1:
    raise ValueError(f'num_iterations must be at least 1, got {num_iterations}')
