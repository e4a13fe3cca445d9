"""The operations of routing, each by blocks or by votes.

Votes are faster for a few examples on a CPU: they fit into the cache, and
blocks, whose last axis is the batch, would leave vector instructions idle.
"""

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops import fused_iteration as by_blocks
from capsjax.ops.fused_iteration import Options
from capsjax.ops.operation import Method, Operation
from capsjax.ops.routing import compute_couplings, compute_votes
from capsjax.ops.sizes import assumed_size

# So few examples have their votes formed on a CPU.
_FEW = 8


def fused_iteration(
  inputs: Float[Array, 'batch in_caps in_dim'],
  kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
  log_priors: Float[Array, 'in_caps out_caps'] | None,
  capsules_sum: Float[Array, 'batch out_caps out_dim'],
  options: Options,
) -> tuple[
  Float[Array, 'batch out_caps out_dim'],
  Float[Array, 'batch in_caps out_caps'],
]:
  """Computes couplings from the capsules so far, then preactivations.

  Args:
    inputs: capsules `u_i` of the layer below.
    kernel: transformation matrices `W_ij`.
    log_priors: initial routing logits, if there are any.
    capsules_sum: the sum of the capsules of all previous iterations. The
      routing logits are the log priors plus the votes' agreement with this sum.
    options: as for `fused_dynamic_routing`.

  Returns:
    Preactivations and couplings.
  """
  if log_priors is None:
    results = _iteration(options, inputs, kernel, capsules_sum)
  else:
    results = _iteration_with_priors(
      options, inputs, kernel, capsules_sum, log_priors
    )
  preactivations, couplings = results
  return preactivations, couplings.transpose(2, 1, 0)


def weighted_votes_sum(
  inputs: Float[Array, 'batch in_caps in_dim'],
  kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
  couplings: Float[Array, '_ out_caps'],
  options: Options,
) -> Float[Array, 'batch out_caps out_dim']:
  """Sums the votes, weighted the same for every example.

  Args:
    inputs: as for `fused_iteration`.
    kernel: as for `fused_iteration`.
    couplings: of each input capsule, or one row for all.
    options: as for `fused_iteration`.
  """
  (preactivations,) = _weighted_votes_sum(options, inputs, kernel, couplings)
  return preactivations


def _sum_by_matrix(options, inputs, kernel, couplings):
  del options
  in_caps, out_caps, in_dim, out_dim = kernel.shape
  weighted = kernel * couplings[..., None, None]
  # Not an einsum: XLA would transpose the inputs too.
  matrix = weighted.swapaxes(1, 2).reshape(in_caps * in_dim, -1)
  total = inputs.reshape(inputs.shape[0], in_caps * in_dim) @ matrix
  return total.reshape(inputs.shape[0], out_caps, out_dim)


def _sum_by_votes(options, inputs, kernel, couplings):
  del options
  votes = compute_votes(inputs, kernel)
  couplings = jnp.broadcast_to(couplings, kernel.shape[:2])
  return jnp.einsum('bije,ij->bje', votes, couplings)


def _choose_sum(platform, options, inputs, *others):
  del others
  is_few = _has_few(platform, options, inputs)
  return Method(_sum_by_votes if is_few else _sum_by_matrix)


_weighted_votes_sum = Operation(
  name='weighted votes sum',
  argument_axes=(0, None, None),
  result_axes=(0,),
  choose=_choose_sum,
)


def _iterate_by_votes(options, inputs, kernel, capsules_sum, log_priors=None):
  votes = compute_votes(inputs, kernel)
  agreement = jnp.einsum('bije,bje->bij', votes, capsules_sum)
  if options.stop_gradient:
    agreement = lax.stop_gradient(agreement)
  routing_logits = (
    agreement if log_priors is None else agreement + log_priors[None]
  )
  couplings = compute_couplings(routing_logits, leaky=options.leaky)
  preactivations = jnp.einsum('bij,bije->bje', couplings, votes)
  return preactivations, couplings.transpose(2, 1, 0)


def _choose(platform, options, inputs, *others):
  del others
  if _has_few(platform, options, inputs):
    return Method(_iterate_by_votes)
  return Method(by_blocks.forward, by_blocks.backward)


def _has_few(platform, options, inputs):
  is_few = assumed_size(inputs.shape[0]) <= _FEW
  return platform == 'cpu' and options.may_form_votes and is_few


def _operation(*more_axes):
  # The couplings end with the batch, as the method computes them.
  return Operation(
    name='routing iteration',
    argument_axes=(0, None, 0, *more_axes),
    result_axes=(0, 2),
    saved=(1,),
    choose=_choose,
  )


_iteration = _operation()
_iteration_with_priors = _operation(None)
