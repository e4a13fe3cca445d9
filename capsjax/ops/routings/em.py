"""EM routing: a mixture of Gaussians that explains the votes."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routing import check_num_iterations
from capsjax.ops.routings.arguments import divide, equal_logits, finish, prepare
from capsjax.ops.routings.normalization import over_parents


class _Gaussians(NamedTuple):
  """The parents after an M step; means and variances have axes i, j, e."""

  means: Float[Array, '*batch 1 out_caps dim']
  variances: Float[Array, '*batch 1 out_caps dim']
  logits: Float[Array, '*batch out_caps']


def em_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  beta_u: Float[Array, ' out_caps'],
  beta_a: Float[Array, ' out_caps'],
  num_iterations: int = 3,
  inverse_temperature: float = 0.01,
  variance_floor: float = 5e-4,
  mean_damping: float = 0.0,
  normalize: NormalizeFn = over_parents,
  initial_normalize: NormalizeFn | None = None,
  return_couplings: bool = False,
) -> Routed:
  """Routes by expectation maximisation (Procedure 1 of the paper).

  A parent is a Gaussian with a diagonal covariance; the couplings are the
  probabilities that it explains a vote. Its activation is `sigmoid(lambda *
  (beta_a - sum_h cost_h))` with `cost_h = (beta_u + ln sigma_h) * mass`, where
  the mass is the sum of the couplings times the activations of the children.
  Densities are computed as logarithms.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: those of the input capsules, in [0, 1].
    beta_u: the cost of describing a component of the pose, per unit of mass.
    beta_a: minus the cost of activating an output capsule.
    num_iterations: the number of M steps, at least 1.
    inverse_temperature: in iteration t = 1, 2, ..., lambda is
      `inverse_temperature * (1 - 0.95 ** t)`, as the authors have told.
    variance_floor: added to each variance; not 0, since a parent with a single
      vote has none.
    mean_damping: the weight of the previous iteration's mean, 0 before the
      first; 0.1 in the official code.
    normalize: what the couplings of a child are normalised over.
    initial_normalize: the same for the uniform couplings at the start; as
      `normalize` if not given. The official code starts with those over the
      parents of one position.
    return_couplings: also returns the couplings of every iteration.

  Returns:
    Capsules; with `return_couplings`, a pair of the capsules and the couplings.

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
    >>> capsules, couplings = ops.em_routing(
    ...   votes,
    ...   jnp.ones(3),
    ...   beta_u=jnp.zeros(2),
    ...   beta_a=jnp.zeros(2),
    ...   return_couplings=True,
    ... )
    >>> print(np.asarray(couplings[-1]).round(2))
    [[1. 0.]
     [1. 0.]
     [1. 0.]]

  References:
    Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", 2018.
  """
  check_num_iterations(num_iterations)
  wide, weights = prepare(votes, activations)
  betas = beta_u.astype(wide.dtype), beta_a.astype(wide.dtype)
  couplings = (initial_normalize or normalize)(equal_logits(wide))
  all_couplings, means = [couplings], None
  for iteration in range(num_iterations):
    gaussians = _m_step(
      wide,
      couplings * weights[..., None],
      betas,
      inverse_temperature=inverse_temperature * (1 - 0.95 ** (iteration + 1)),
      variance_floor=variance_floor,
      damped=None if not mean_damping else (mean_damping, means),
    )
    means = gaussians.means
    if iteration < num_iterations - 1:
      couplings = normalize(_e_step(wide, gaussians))
      all_couplings.append(couplings)
  return finish(
    gaussians.means[..., 0, :, :],
    jax.nn.sigmoid(gaussians.logits),
    all_couplings,
    votes=votes,
    return_couplings=return_couplings,
  )


def _m_step(
  votes, shares, betas, *, inverse_temperature, variance_floor, damped
):
  """Fits the parents to their shares `[*batch, in_caps, out_caps]` of votes."""
  beta_u, beta_a = (jnp.broadcast_to(b, shares[..., 0, :].shape) for b in betas)
  mass = jnp.sum(shares, -2)
  weights = divide(shares, mass[..., None, :])[..., None]
  means = jnp.sum(weights * votes, -3, keepdims=True)
  if damped is not None:
    damping, before = damped
    means *= 1 - damping
    if before is not None:
      means += damping * before
  deviations = jnp.square(votes - means)
  variances = jnp.sum(weights * deviations, -3, keepdims=True) + variance_floor
  log_deviations = 0.5 * jnp.log(variances[..., 0, :, :])
  costs = (beta_u[..., None] + log_deviations) * mass[..., None]
  logits = inverse_temperature * (beta_a - jnp.sum(costs, -1))
  return _Gaussians(means, variances, logits)


def _e_step(votes, gaussians):
  """Returns the logarithm of each parent's activation times its density."""
  means, variances, logits = gaussians
  exponents = jnp.square(votes - means) / variances + jnp.log(variances)
  constant = votes.shape[-1] * math.log(2 * math.pi)
  log_densities = -0.5 * (jnp.sum(exponents, -1) + constant)
  return log_densities + jax.nn.log_sigmoid(logits)[..., None, :]
