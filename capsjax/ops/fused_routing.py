"""Routing from inputs and kernel, fast and in little memory.

The votes of one layer of the paper's network take 94 MB at batch 128, and each
iteration reads them twice. Here they are never held. Two identities help:

- the first couplings are the same for every example, so the first weighted sum
  is one matrix product of the inputs with the kernel;
- the routing logits before iteration r are the votes' inner product with the
  sum of all capsules so far, so no logits are kept between iterations.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.fused_iteration import Options, fused_iteration
from capsjax.ops.routing import (
  SquashFn,
  check_num_iterations,
  compute_couplings,
)
from capsjax.ops.routing_blocks import join_blocks, split_into_blocks
from capsjax.ops.squash import squash

# On a CPU a block's products should stay in the cache; on an accelerator, where
# a loop's turns are dear, they need only leave room in its memory.
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
  """`dynamic_routing(compute_votes(inputs, kernel))`, fast in little memory.

  Its gradient is written by hand, so that forward-mode derivatives (`jax.jvp`)
  need the two functions above.

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
    block_bytes: at most so much memory is taken by one block of input capsules,
      `in_dim` or `out_dim` numbers for each pair of capsules, but a block has
      at least one input capsule; by the default backend if None: 1.5 MiB on a
      CPU, 256 MiB elsewhere.

  Returns:
    Output capsules `v_j`; with `return_couplings` a pair of these and the
    couplings `c_ij`, iterations first.

  Raises:
    ValueError: if `num_iterations` is below 1, or inputs and kernel do not have
      the same capsules or dtype.

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 2
    and Procedure 1.
  """
  check_num_iterations(num_iterations)
  _require_fit(inputs, kernel)
  options = Options(leaky, stop_gradient, return_couplings)
  batch, (in_caps, out_caps) = inputs.shape[:-2], kernel.shape[:2]
  flat_inputs = inputs.reshape(math.prod(batch), *inputs.shape[-2:])
  if log_priors is not None:
    log_priors = log_priors.astype(inputs.dtype)
  if bias is not None:
    bias = bias.astype(inputs.dtype)

  def activate(preactivations):
    if bias is not None:
      preactivations += jnp.broadcast_to(bias, preactivations.shape)
    return squash_fn(preactivations)

  couplings = compute_couplings(
    jnp.zeros((1, out_caps), inputs.dtype)
    if log_priors is None
    else log_priors,
    leaky=leaky,
  )
  capsules = activate(_weighted_votes_sum(flat_inputs, kernel, couplings))
  shape = (len(flat_inputs), in_caps, out_caps)
  all_couplings = [jnp.broadcast_to(couplings, shape)]
  if num_iterations > 1:
    if block_bytes is None:
      on_cpu = jax.default_backend() == 'cpu'
      block_bytes = _BLOCK_BYTES_ON_CPU if on_cpu else _BLOCK_BYTES_ELSEWHERE
    blocks = split_into_blocks(flat_inputs, kernel, log_priors, block_bytes)
  capsules_sum = capsules
  for _ in range(num_iterations - 1):
    preactivations, block_couplings = fused_iteration(
      blocks, capsules_sum.transpose(1, 2, 0), options
    )
    capsules = activate(preactivations.transpose(2, 0, 1))
    capsules_sum += capsules
    if block_couplings is not None:
      all_couplings.append(join_blocks(block_couplings)[:, :in_caps])

  capsules = capsules.reshape(*batch, *capsules.shape[1:])
  if not return_couplings:
    return capsules
  return capsules, jnp.stack(all_couplings).reshape(
    num_iterations, *batch, *shape[1:]
  )


def _require_fit(inputs, kernel):
  in_caps, _, in_dim, _ = kernel.shape
  if inputs.shape[-2:] != (in_caps, in_dim):
    raise ValueError(
      f'inputs of shape {inputs.shape} do not end in the (in_caps, in_dim) of '
      f'the kernel, {(in_caps, in_dim)}'
    )
  if inputs.dtype != kernel.dtype:
    raise ValueError(
      f'inputs are {inputs.dtype} and the kernel is {kernel.dtype}; give them '
      'one dtype'
    )


def _weighted_votes_sum(inputs, kernel, couplings):
  """The sum of the votes, weighted alike for every example.

  Args:
    inputs: `[batch, in_caps, in_dim]`.
    kernel: `[in_caps, out_caps, in_dim, out_dim]`.
    couplings: `[in_caps or 1, out_caps]`.

  Returns:
    `[batch, out_caps, out_dim]`.
  """
  in_caps, out_caps, in_dim, out_dim = kernel.shape
  weighted = kernel * couplings[..., None, None]
  # Not an einsum, for which XLA transposes the inputs too.
  matrix = weighted.swapaxes(1, 2).reshape(in_caps * in_dim, -1)
  return (inputs.reshape(len(inputs), in_caps * in_dim) @ matrix).reshape(
    len(inputs), out_caps, out_dim
  )
