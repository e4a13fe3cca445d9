"""One routing iteration from inputs and kernel, without forming the votes.

A vote is `u^_j|i = W_ij u_i`, so an iteration never needs the votes themselves:

    agreement      u^_j|i . v_j        = u_i . (W_ij^T v_j)
    weighted sum   sum_i c_ij u^_j|i   = sum_i W_ij (c_ij u_i)

For one output capsule, over all input capsules and the batch, each is a matrix
product and a multiplication by the inputs. The intermediate array has the size
of the inputs for each output capsule, not the size of the votes, and is held
for one block of input capsules at a time. Only the gradient of a block's votes
is formed: one product with it gives the inputs' gradient, another the kernel's.
The batch is the last axis, which makes the arithmetic contiguous.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from capsjax.ops.precision import at_least_float32
from capsjax.ops.routing import compute_couplings
from capsjax.ops.routing_blocks import (
  Blocks,
  join_blocks,
  split_couplings,
  split_into_blocks,
)


class Options(NamedTuple):
  """Options that are known when the iteration is compiled.

  Attributes:
    leaky: as for `fused_dynamic_routing`, like the next two.
    stop_gradient: treats the couplings as constants.
    block_bytes: the most memory for one block of input capsules.
    may_form_votes: whether votes may be formed where that is faster.
  """

  leaky: bool
  stop_gradient: bool
  block_bytes: int
  may_form_votes: bool


def forward(options, inputs, kernel, capsules_sum, log_priors=None):
  """Computes preactivations, and couplings `[out_caps, in_caps, batch]`."""
  blocks = split_into_blocks(inputs, kernel, log_priors, options.block_bytes)
  dtype, vectors = inputs.dtype, capsules_sum.transpose(1, 2, 0)

  def add_block(total, block):
    routing_logits = _agreement(block, vectors)
    if block.log_priors is not None:
      routing_logits += block.log_priors.astype(routing_logits.dtype)
    couplings = compute_couplings(routing_logits, leaky=options.leaky, axis=0)
    couplings = couplings.astype(dtype)
    return total + _weighted_sum(block, couplings), couplings

  # A half-precision sum over many blocks would lose bits.
  zero = jnp.zeros_like(vectors, at_least_float32(dtype))
  preactivations, couplings = lax.scan(add_block, zero, blocks)
  return (
    preactivations.astype(dtype).transpose(2, 0, 1),
    join_blocks(couplings, inputs.shape[1]),
  )


def backward(options, inputs, kernel, capsules_sum, *others):
  """Computes the gradients.

  Args:
    options: as for `fused_iteration`.
    inputs: as for `fused_iteration`.
    kernel: as for `fused_iteration`.
    capsules_sum: as for `fused_iteration`.
    *others: the log priors, if there are any; the couplings; the cotangents of
      preactivations and couplings.
  """
  *log_priors, couplings, preactivations_grad, couplings_grad = others

  def split(inputs, kernel, log_priors=None):
    return split_into_blocks(inputs, kernel, log_priors, options.block_bytes)

  blocks, join = jax.vjp(split, inputs, kernel, *log_priors)
  dtype, wide = inputs.dtype, at_least_float32(inputs.dtype)
  vectors = capsules_sum.transpose(1, 2, 0)
  if preactivations_grad is None:
    vectors_grad = jnp.zeros_like(vectors)
  else:
    vectors_grad = preactivations_grad.transpose(1, 2, 0)

  def add_block(total, xs):
    block, couplings, wanted_grad = xs
    couplings_grad = _agreement(block, vectors_grad)
    if wanted_grad is not None:
      couplings_grad += wanted_grad.astype(wide)
    shares = couplings.astype(wide) * couplings_grad
    logits_grad = shares - couplings.astype(wide) * shares.sum(0, keepdims=True)
    logits_grad = logits_grad.astype(dtype)

    votes_grad = _outer_product(couplings, vectors_grad)
    if not options.stop_gradient:
      votes_grad += _outer_product(logits_grad, vectors)
      total += _weighted_sum(block, logits_grad)
    log_priors_grad = (
      None if block.log_priors is None else logits_grad.sum(-1, keepdims=True)
    )
    return total, _blocks_grad(block, votes_grad, log_priors_grad)

  xs = (
    blocks,
    split_couplings(couplings, blocks),
    None if couplings_grad is None else split_couplings(couplings_grad, blocks),
  )
  zero = jnp.zeros_like(vectors, wide)
  capsules_sum_grad, blocks_grad = lax.scan(add_block, zero, xs)
  inputs_grad, kernel_grad, *log_priors_grad = join(blocks_grad)
  capsules_sum_grad = capsules_sum_grad.astype(dtype).transpose(2, 0, 1)
  return inputs_grad, kernel_grad, capsules_sum_grad, *log_priors_grad


def _agreement(block, vectors):
  """Inner products of a block's votes with one vector per output capsule.

  Args:
    block: one of `Blocks`.
    vectors: `[out_caps, out_dim, batch]`.

  Returns:
    `u_i . (W_ij^T v_j)`, `[out_caps, block_caps, batch]`.
  """
  products = jnp.matmul(block.kernel, vectors)
  products = products.reshape(len(vectors), *block.inputs.shape)
  wide = at_least_float32(products.dtype)
  return jnp.sum(products * block.inputs[None], 2, dtype=wide)


def _weighted_sum(block, weights):
  """Computes the weighted sum of a block's votes.

  Args:
    block: one of `Blocks`.
    weights: `[out_caps, block_caps, batch]`.

  Returns:
    `sum_i W_ij (c_ij u_i)`, `[out_caps, out_dim, batch]`.
  """
  weighted = weights[:, :, None] * block.inputs[None]
  out_caps, block_caps, in_dim, batch = weighted.shape
  weighted = weighted.reshape(out_caps, block_caps * in_dim, batch)
  # Transposed separately: XLA's product with a transposed factor is slower.
  kernel = lax.optimization_barrier(block.kernel.swapaxes(1, 2))
  wide = at_least_float32(weighted.dtype)
  return jnp.matmul(kernel, weighted, preferred_element_type=wide)


def _outer_product(weights, vectors):
  """Returns the votes' gradient from a weighted sum or from an agreement.

  Args:
    weights: `[out_caps, block_caps, batch]`.
    vectors: `[out_caps, out_dim, batch]`.

  Returns:
    `[block_caps, out_caps, out_dim, batch]`.
  """
  return weights.swapaxes(0, 1)[:, :, None] * vectors[None]


def _blocks_grad(block, votes_grad, log_priors_grad):
  """Computes a block's gradient from its votes' gradient.

  The votes are `u^_j|i = W_ij u_i`.
  """
  block_caps, out_caps, out_dim, batch = votes_grad.shape
  in_dim = block.inputs.shape[1]
  # Two products read this, and XLA would compute it for each.
  votes_grad = lax.optimization_barrier(
    votes_grad.reshape(block_caps, out_caps * out_dim, batch)
  )
  kernel = block.kernel.reshape(out_caps, block_caps, in_dim, out_dim)
  kernel = lax.optimization_barrier(
    kernel.transpose(1, 2, 0, 3).reshape(block_caps, in_dim, -1)
  )
  kernel_grad = jnp.einsum('ndb,nqb->ndq', block.inputs, votes_grad)
  kernel_grad = kernel_grad.reshape(block_caps, in_dim, out_caps, out_dim)
  return Blocks(
    jnp.matmul(kernel, votes_grad),
    kernel_grad.transpose(2, 0, 1, 3).reshape(block.kernel.shape),
    log_priors_grad,
  )
