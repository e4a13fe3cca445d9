"""Routing from inputs and kernel, by the method that suits the platform.

In the paper's network, the votes of one layer take 94 MB at batch 128, and each
iteration reads them twice. A GPU's memory is fast enough for that, and plain
routing moves the fewest bytes there. On other platforms, and when the votes are
too large for a GPU, they are never formed. Two identities help:

- the first couplings are the same for every example, so the first weighted sum
  is one matrix product of the inputs with the kernel;
- the routing logits before iteration r are the votes' inner product with the
  sum of all capsules so far, so no logits are kept between iterations.
"""

import functools
import math

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.arguments import require_floating
from capsjax.ops.fused_iteration import Options
from capsjax.ops.fused_operations import fused_iteration, weighted_votes_sum
from capsjax.ops.routing import (
  SquashFn,
  check_num_iterations,
  compute_couplings,
  compute_votes,
  dynamic_routing,
)
from capsjax.ops.sizes import assumed_size
from capsjax.ops.squash import squash

# On a CPU a block's products should stay in the cache. On an accelerator, where
# loop iterations are expensive, they only need to leave room in its memory.
_BLOCK_BYTES_ON_CPU = 3 * 2**19
_BLOCK_BYTES_ELSEWHERE = 2**28
# With its gradient, plain routing holds three to four times the votes.
_VOTES_BYTES_ON_GPU = 2**29


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
  """`dynamic_routing(compute_votes(inputs, kernel))`, fast on every platform.

  On an NVIDIA GPU, votes of up to 512 MiB are formed, and on a CPU those of up
  to 8 examples. Otherwise they never are, which saves memory. The platform is
  the one that the program is compiled for, and `vmap` over examples counts as a
  batch.

  Args:
    inputs: capsules `u_i` of the layer below.
    kernel: transformation matrices `W_ij`, of the inputs' dtype.
    num_iterations: as for `dynamic_routing`, like the options that follow.
    stop_gradient: treats the couplings as constants.
    leaky: adds a "none of the above" share to each softmax.
    bias: added to the preactivations before every squash.
    log_priors: initial routing logits.
    squash_fn: replaces `squash`.
    return_couplings: also returns the couplings of every iteration.
    block_bytes: the most memory for one block of input capsules, counted as
      `max(in_dim, out_dim)` numbers for each pair of capsules; a block has at
      least one input capsule. If None, 1.5 MiB on a CPU and 256 MiB elsewhere.
      If given, no votes are formed on any platform.

  Returns:
    Output capsules `v_j`; with `return_couplings`, a pair of the capsules and
    the couplings `c_ij`, iterations first.

  Raises:
    ValueError: if `num_iterations` is below 1, or inputs and kernel differ in
      their capsules or dtype.

  Examples:
    >>> import jax
    >>> import numpy as np
    >>> from capsjax import (
    ...   compute_votes,
    ...   dynamic_routing,
    ...   fused_dynamic_routing,
    ... )
    >>> inputs = jax.random.normal(jax.random.key(0), (4, 36, 8))
    >>> kernel = jax.random.normal(jax.random.key(1), (36, 10, 8, 16))
    >>> capsules = fused_dynamic_routing(inputs, kernel)
    >>> capsules.shape
    (4, 10, 16)
    >>> votes = compute_votes(inputs, kernel)
    >>> np.testing.assert_allclose(capsules, dynamic_routing(votes), atol=1e-4)

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 2
    and Procedure 1.
  """
  check_num_iterations(num_iterations)
  _require_fit(inputs, kernel)
  batch, (in_caps, out_caps) = inputs.shape[:-2], kernel.shape[:2]
  flat_inputs = inputs.reshape(math.prod(batch), *inputs.shape[-2:])
  if log_priors is not None:
    log_priors = log_priors.astype(inputs.dtype)
  if bias is not None:
    bias = bias.astype(inputs.dtype)

  def by_votes(inputs, kernel, bias, log_priors):
    return dynamic_routing(
      compute_votes(inputs, kernel),
      num_iterations=num_iterations,
      stop_gradient=stop_gradient,
      leaky=leaky,
      bias=bias,
      log_priors=log_priors,
      squash_fn=squash_fn,
      return_couplings=return_couplings,
    )

  def by_blocks(block_bytes, *, may_form_votes=False):
    return functools.partial(
      _route_by_blocks,
      num_iterations=num_iterations,
      options=Options(leaky, stop_gradient, block_bytes, may_form_votes),
      squash_fn=squash_fn,
      return_couplings=return_couplings,
    )

  arrays = flat_inputs, kernel, bias, log_priors
  if block_bytes is not None:
    routed = by_blocks(block_bytes)(*arrays)
  else:
    votes = (
      assumed_size(flat_inputs.shape[0]) * in_caps * out_caps * kernel.shape[-1]
    )
    holds_votes = votes * inputs.dtype.itemsize <= _VOTES_BYTES_ON_GPU
    elsewhere = by_blocks(_BLOCK_BYTES_ELSEWHERE)
    routed = lax.platform_dependent(
      *arrays,
      cpu=by_blocks(_BLOCK_BYTES_ON_CPU, may_form_votes=True),
      cuda=_saving_nothing(by_votes if holds_votes else elsewhere),
      default=_saving_nothing(elsewhere),
    )

  if not return_couplings:
    return routed.reshape(*batch, *routed.shape[1:])
  capsules, couplings = routed
  return (
    capsules.reshape(*batch, *capsules.shape[1:]),
    couplings.reshape(num_iterations, *batch, in_caps, out_caps),
  )


def _saving_nothing(route):
  """Wraps `route` so that the backward pass recomputes it from its arguments.

  The residuals of one platform's method would be held on every platform. If one
  program contains both passes, recomputing is free: XLA merges equal
  computations.
  """
  return jax.checkpoint(route, prevent_cse=False)


def _route_by_blocks(
  inputs,
  kernel,
  bias,
  log_priors,
  *,
  num_iterations,
  options,
  squash_fn,
  return_couplings,
):
  """Routes inputs `[batch, in_caps, in_dim]` without forming their votes."""
  in_caps, out_caps = kernel.shape[:2]

  def activate(preactivations):
    if bias is not None:
      preactivations += jnp.broadcast_to(bias, preactivations.shape)
    return squash_fn(preactivations)

  couplings = compute_couplings(
    jnp.zeros((1, out_caps), inputs.dtype)
    if log_priors is None
    else log_priors,
    leaky=options.leaky,
  )
  capsules = activate(weighted_votes_sum(inputs, kernel, couplings, options))
  all_couplings = [
    jnp.broadcast_to(couplings, (inputs.shape[0], in_caps, out_caps))
  ]
  capsules_sum = capsules
  for _ in range(num_iterations - 1):
    preactivations, couplings = fused_iteration(
      inputs, kernel, log_priors, capsules_sum, options
    )
    capsules = activate(preactivations)
    capsules_sum += capsules
    all_couplings.append(couplings)
  if not return_couplings:
    return capsules
  return capsules, jnp.stack(all_couplings)


def _require_fit(inputs, kernel):
  require_floating(inputs=inputs, kernel=kernel)
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
