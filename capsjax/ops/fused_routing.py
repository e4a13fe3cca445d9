"""Routing from inputs and kernel that never holds all votes at once.

The votes of one layer of the paper's network take 94 MB at batch 128, and each
iteration reads them twice. Here they are computed block by block of input
capsules, in the processor's cache, and recomputed in the next iteration and in
the backward pass. Two identities make that cheap:

- the first couplings are the same for every example, so the first weighted sum
  is one matrix product of the inputs with the kernel, its votes never formed;
- the routing logits before iteration r are the votes' inner product with the
  sum of all capsules so far, so no logits are kept between iterations.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.precision import at_least_float32
from capsjax.ops.routing import (
  SquashFn,
  check_num_iterations,
  compute_couplings,
)
from capsjax.ops.squash import squash

# On a CPU a block's votes should stay in the cache; on an accelerator, where a
# loop's turns are dear, they need only leave room in its memory.
_BLOCK_BYTES_ON_CPU = 3 * 2**19
_BLOCK_BYTES_ELSEWHERE = 2**28


def fused_dynamic_routing(
  inputs: Float[Array, '*batch in_caps in_dim'],
  kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
  *,
  num_iterations: int = 3,
  stop_gradient: bool = False,
  leaky: bool = False,
  bias: Float[Array, 'out_caps out_dim'] | None = None,
  log_priors: Float[Array, 'in_caps out_caps'] | None = None,
  squash_fn: SquashFn = squash,
  return_couplings: bool = False,
  block_bytes: int | None = None,
) -> (
  Float[Array, '*batch out_caps out_dim']
  | tuple[
    Float[Array, '*batch out_caps out_dim'],
    Float[Array, 'num_iterations *batch in_caps out_caps'],
  ]
):
  """`dynamic_routing(compute_votes(inputs, kernel))` in little memory.

  Args:
    inputs: capsules `u_i` of the layer below.
    kernel: transformation matrices `W_ij`, of the inputs' dtype.
    num_iterations: as for `dynamic_routing`, like all that follow.
    stop_gradient: treats the couplings as constants.
    leaky: adds a "none of the above" share to each softmax.
    bias: added to the preactivations before every squash.
    log_priors: initial routing logits.
    squash_fn: replaces `squash`.
    return_couplings: also returns the couplings of every iteration.
    block_bytes: at most so much memory is taken by votes at a time, but at
      least one input capsule's; by the default backend if None: 1.5 MiB on a
      CPU, 256 MiB elsewhere.

  Returns:
    Output capsules `v_j`; with `return_couplings` a pair of these and the
    couplings `c_ij`, iterations first.

  Raises:
    ValueError: if `num_iterations` is below 1.

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 2
    and Procedure 1.
  """
  check_num_iterations(num_iterations)
  batch, (in_caps, out_caps) = inputs.shape[:-2], kernel.shape[:2]
  flat_inputs = inputs.reshape(-1, *inputs.shape[-2:])
  if log_priors is None:
    log_priors = jnp.zeros((in_caps, out_caps), inputs.dtype)
  log_priors = log_priors.astype(inputs.dtype)

  def activate(preactivations):
    if bias is not None:
      preactivations += jnp.broadcast_to(bias, preactivations.shape)
    return squash_fn(preactivations)

  couplings = compute_couplings(log_priors, leaky=leaky)
  capsules = activate(
    jnp.einsum(
      'bid,ijde->bje', flat_inputs, kernel * couplings[..., None, None]
    )
  )
  all_couplings = [
    jnp.broadcast_to(couplings, (len(flat_inputs), *couplings.shape))
  ]
  capsules_sum = capsules
  if num_iterations > 1:
    blocks = _split_into_blocks(flat_inputs, kernel, log_priors, block_bytes)
  for _ in range(num_iterations - 1):
    preactivations, couplings = _weighted_sum(
      blocks,
      lax.stop_gradient(capsules_sum) if stop_gradient else capsules_sum,
      stop_gradient=stop_gradient,
      leaky=leaky,
      keep_couplings=return_couplings,
    )
    capsules = activate(preactivations)
    capsules_sum += capsules
    all_couplings.append(couplings)

  capsules = capsules.reshape(*batch, *capsules.shape[1:])
  if not return_couplings:
    return capsules
  shape = (num_iterations, *batch, in_caps, out_caps)
  return capsules, jnp.stack([c[:, :in_caps] for c in all_couplings]).reshape(
    shape
  )


def _split_into_blocks(inputs, kernel, log_priors, block_bytes):
  """Arranges everything by blocks of input capsules, the last one padded.

  A padded capsule is zero, and so are its votes: it adds nothing to a sum.

  Args:
    inputs: `[batch, in_caps, in_dim]`.
    kernel: `[in_caps, out_caps, in_dim, out_dim]`.
    log_priors: `[in_caps, out_caps]`.
    block_bytes: as for `fused_dynamic_routing`.

  Returns:
    `[blocks, block, batch, in_dim]`, `[blocks, block, in_dim, out_caps,
    out_dim]` and `[blocks, block, 1, out_caps]`.
  """
  if block_bytes is None:
    on_cpu = jax.default_backend() == 'cpu'
    block_bytes = _BLOCK_BYTES_ON_CPU if on_cpu else _BLOCK_BYTES_ELSEWHERE
  in_caps, out_caps, _, out_dim = kernel.shape
  vote_bytes = len(inputs) * out_caps * out_dim * inputs.dtype.itemsize
  block = max(1, min(in_caps, block_bytes // max(1, vote_bytes)))
  blocks = -(-in_caps // block)
  block = -(-in_caps // blocks)

  def split(array):
    padding = [(0, blocks * block - in_caps)] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, padding).reshape(blocks, block, *array.shape[1:])

  return (
    split(inputs.transpose(1, 0, 2)),
    split(kernel.transpose(0, 2, 1, 3)),
    split(log_priors[:, None]),
  )


def _weighted_sum(
  blocks, capsules_sum, *, stop_gradient, leaky, keep_couplings
):
  """One iteration after the first: couplings from agreement, then the sum.

  Args:
    blocks: the result of `_split_into_blocks`.
    capsules_sum: the sum of all capsules so far, `[batch, out_caps, out_dim]`.
    stop_gradient: treats the couplings as constants.
    leaky: adds a "none of the above" share to each softmax.
    keep_couplings: whether the couplings are wanted.

  Returns:
    Preactivations `[batch, out_caps, out_dim]`, and the couplings `[batch,
    padded in_caps, out_caps]` or None.
  """

  @jax.checkpoint
  def add_block(total, block):
    inputs, kernel, log_priors = block
    votes = jnp.einsum('ibd,idje->ibje', inputs, kernel)
    seen = lax.stop_gradient(votes) if stop_gradient else votes
    agreement = jnp.einsum('ibje,bje->ibj', seen, capsules_sum)
    routing_logits = agreement + jnp.broadcast_to(log_priors, agreement.shape)
    couplings = compute_couplings(routing_logits, leaky=leaky)
    total += jnp.einsum(
      'ibj,ibje->bje', couplings, votes, preferred_element_type=total.dtype
    )
    return total, couplings if keep_couplings else None

  # The sum over many blocks would lose bits of a half-precision type.
  wide = at_least_float32(capsules_sum.dtype)
  zero = jnp.zeros(capsules_sum.shape, wide)
  total, couplings = lax.scan(add_block, zero, blocks)
  total = total.astype(capsules_sum.dtype)
  if keep_couplings:
    couplings = jnp.moveaxis(couplings.reshape(-1, *couplings.shape[2:]), 1, 0)
  return total, couplings
