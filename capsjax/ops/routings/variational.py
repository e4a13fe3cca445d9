"""Variational Bayes routing: a mixture of Gaussians with priors."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.special import digamma
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routing import check_num_iterations
from capsjax.ops.routings.arguments import equal_logits, finish, prepare
from capsjax.ops.routings.normalization import over_parents


class _Posterior(NamedTuple):
  """The distributions of the parents; names as in the paper.

  Attributes:
    means: m_j.
    precision_scales: kappa_j.
    degrees: nu_j.
    scatter: the inverse scale matrix of the Wishart distribution, or its
      diagonal.
    log_precision: E ln |Lambda_j|.
    log_share: E ln pi_j.
  """

  means: Float[Array, '*batch 1 out_caps dim']
  precision_scales: Float[Array, '*batch out_caps']
  degrees: Float[Array, '*batch out_caps']
  scatter: Float[Array, '...']
  log_precision: Float[Array, '*batch out_caps']
  log_share: Float[Array, '*batch out_caps']


def variational_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  beta_u: Float[Array, ' out_caps'],
  beta_a: Float[Array, ' out_caps'],
  num_iterations: int = 3,
  concentration: float = 1.0,
  mean_precision: float = 1.0,
  full_covariance: bool = False,
  activation_fn: Callable[[Array], Array] = jax.nn.sigmoid,
  normalize: NormalizeFn = over_parents,
  return_couplings: bool = False,
) -> Routed:
  """Routes by variational inference in a mixture of Gaussians.

  As in EM routing the parents are Gaussians that explain the votes, but their
  means, precisions and shares have priors: a Gaussian around 0, a Wishart
  distribution with the identity and `dim + 1` degrees of freedom, and a
  Dirichlet distribution. So no variance can collapse. The activation is
  `activation_fn(beta_a - beta_u - exp(E ln pi) * H)` with the entropy H of the
  Gaussian at its expected precision.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: those of the input capsules, in [0, 1].
    beta_u: subtracted from the evidence of each output capsule.
    beta_a: added to the evidence of each output capsule.
    num_iterations: the number of updates of the parents, at least 1.
    concentration: alpha_0 of the Dirichlet prior, above 0.
    mean_precision: kappa_0, the precision of the means' prior, above 0.
    full_covariance: whether the Gaussians have full covariances; otherwise they
      are diagonal.
    activation_fn: maps the evidence `[*batch, out_caps]` to activations.
    normalize: what the couplings of a child are normalised over.
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
    >>> capsules, couplings = ops.variational_routing(
    ...   votes,
    ...   jnp.ones(3),
    ...   beta_u=jnp.zeros(2),
    ...   beta_a=jnp.zeros(2),
    ...   return_couplings=True,
    ... )
    >>> print(np.asarray(couplings[-1]).round(2))
    [[0.94 0.06]
     [0.94 0.06]
     [0.93 0.07]]

  References:
    De Sousa Ribeiro, Leontidis, Kollias, "Capsule Routing via Variational
    Bayes", 2020.
  """
  check_num_iterations(num_iterations)
  wide, weights = prepare(votes, activations)
  couplings = normalize(equal_logits(wide))
  all_couplings = [couplings]
  for iteration in range(num_iterations):
    posterior = _fit(
      wide,
      couplings * weights[..., None],
      concentration=concentration,
      mean_precision=mean_precision,
      full_covariance=full_covariance,
    )
    if iteration < num_iterations - 1:
      couplings = normalize(_log_weights(wide, posterior))
      all_couplings.append(couplings)
  constant = wide.shape[-1] * math.log(2 * math.pi * math.e)
  entropy = 0.5 * (constant - posterior.log_precision)
  betas = (beta_a - beta_u).astype(wide.dtype)
  evidence = jnp.broadcast_to(betas, entropy.shape)
  evidence -= jnp.exp(posterior.log_share) * entropy
  return finish(
    posterior.means[..., 0, :, :],
    activation_fn(evidence),
    all_couplings,
    votes=votes,
    return_couplings=return_couplings,
  )


def _fit(votes, shares, *, concentration, mean_precision, full_covariance):
  """Returns the posterior given shares `[*batch, in_caps, out_caps]`."""
  dim, mass = votes.shape[-1], jnp.sum(shares, -2)
  scales, degrees = mean_precision + mass, dim + 1 + mass
  sums = jnp.einsum('...ij,...ije->...je', shares, votes)
  means = (sums / scales[..., None])[..., None, :, :]
  # This form of the paper's equations has no division by the mass, which may
  # be 0, and no difference of large numbers.
  apart, prior = votes - means, means[..., 0, :, :]
  if full_covariance:
    scatter = jnp.einsum('...ij,...ije,...ijf->...jef', shares, apart, apart)
    scatter += mean_precision * prior[..., :, None] * prior[..., None, :]
    scatter += jnp.broadcast_to(jnp.eye(dim, dtype=votes.dtype), scatter.shape)
    factor = jnp.linalg.cholesky(scatter)
    diagonal = jnp.diagonal(factor, axis1=-2, axis2=-1)
    log_determinant = 2 * jnp.sum(jnp.log(diagonal), -1)
  else:
    scatter = 1 + mean_precision * jnp.square(prior)
    scatter += jnp.sum(shares[..., None] * jnp.square(apart), -3)
    log_determinant = jnp.sum(jnp.log(scatter), -1)
  alpha = concentration + mass
  total = jnp.broadcast_to(jnp.sum(alpha, -1, keepdims=True), alpha.shape)
  # One call compiles much faster than several.
  halves = [0.5 * (degrees - d) for d in range(dim)]
  of_alpha, of_total, *of_halves = digamma(jnp.stack([alpha, total, *halves]))
  log_precision = sum(of_halves) + dim * math.log(2) - log_determinant
  return _Posterior(
    means, scales, degrees, scatter, log_precision, of_alpha - of_total
  )


def _log_weights(votes, posterior):
  """Returns E ln pi plus the expected log density of each vote."""
  means, scales, degrees, scatter, log_precision, log_share = posterior
  dim, apart = votes.shape[-1], votes - means
  if scatter.ndim == means.ndim:  # `means` has an axis more, for i.
    factor = jnp.linalg.cholesky(scatter)[..., None, :, :, :]
    whitened = jax.scipy.linalg.solve_triangular(
      jnp.broadcast_to(factor, (*apart.shape, dim)),
      apart[..., None],
      lower=True,
    )
    distances = jnp.sum(jnp.square(whitened[..., 0]), -1)
  else:
    distances = jnp.sum(jnp.square(apart) / scatter[..., None, :, :], -1)
  of_parent = 0.5 * (log_precision - dim * math.log(2 * math.pi) - dim / scales)
  of_vote = 0.5 * degrees[..., None, :] * distances
  return (log_share + of_parent)[..., None, :] - of_vote
