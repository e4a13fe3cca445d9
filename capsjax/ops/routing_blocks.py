"""Routing inputs and kernel, split into blocks of input capsules."""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.sizes import assumed_size


class Blocks(NamedTuple):
  """Inputs and kernel in blocks of input capsules, the last block padded.

  Padding capsules are zero, and so are their votes: they add nothing to a sum.
  """

  inputs: Float[Array, 'blocks block_caps in_dim batch']
  kernel: Float[Array, 'blocks out_caps block_caps*in_dim out_dim']
  log_priors: Float[Array, 'blocks out_caps block_caps 1'] | None


def split_into_blocks(
  inputs: Float[Array, 'batch in_caps in_dim'],
  kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
  log_priors: Float[Array, 'in_caps out_caps'] | None,
  block_bytes: int,
) -> Blocks:
  """Splits inputs, kernel and log priors into blocks of input capsules.

  Args:
    inputs: capsules `u_i` of the layer below.
    kernel: transformation matrices `W_ij`.
    log_priors: initial routing logits, if there are any.
    block_bytes: the most memory for a block's votes, or for its inputs per
      output capsule; a block has at least one input capsule.
  """
  batch, in_caps, in_dim = inputs.shape
  out_caps, out_dim = kernel.shape[1], kernel.shape[3]
  widest = max(in_dim, out_dim)
  capsule_bytes = (
    assumed_size(batch) * out_caps * widest * inputs.dtype.itemsize
  )
  block = _even_block(in_caps, max(1, block_bytes // max(1, capsule_bytes)))
  blocks = -(-in_caps // block)

  def split(array):
    padding = [(0, blocks * block - in_caps)] + [(0, 0)] * (array.ndim - 1)
    return jnp.pad(array, padding).reshape(blocks, block, *array.shape[1:])

  parts = Blocks(
    split(inputs.transpose(1, 2, 0)),
    split(kernel)
    .swapaxes(1, 2)
    .reshape(blocks, out_caps, block * in_dim, out_dim),
    None if log_priors is None else split(log_priors).swapaxes(1, 2)[..., None],
  )
  # Otherwise XLA transposes their products, which are larger.
  return lax.optimization_barrier(parts)


def _even_block(in_caps, most):
  """Returns the size of a block, at most `most`.

  It divides `in_caps`, which avoids padding, unless that would more than double
  the number of blocks.
  """
  blocks = -(-in_caps // most)
  for count in range(blocks, min(2 * blocks, in_caps) + 1):
    if in_caps % count == 0:
      return in_caps // count
  return -(-in_caps // blocks)


def split_couplings(
  couplings: Float[Array, 'out_caps in_caps batch'], blocks: Blocks
) -> Float[Array, 'blocks out_caps block_caps batch']:
  """Splits couplings, or their gradient, as `blocks` are."""
  count, block = blocks.inputs.shape[:2]
  out_caps, in_caps, batch = couplings.shape
  padding = [(0, 0), (0, count * block - in_caps), (0, 0)]
  padded = jnp.pad(couplings, padding)
  return padded.reshape(out_caps, count, block, batch).swapaxes(0, 1)


def join_blocks(
  couplings: Float[Array, 'blocks out_caps block_caps batch'], in_caps: int
) -> Float[Array, 'out_caps in_caps batch']:
  """Undoes `split_couplings`."""
  count, out_caps, block, batch = couplings.shape
  joined = couplings.swapaxes(0, 1).reshape(out_caps, count * block, batch)
  return joined[:, :in_caps]
