"""Routings as their papers write them: loops over positions, i, j, components.

Votes are `[positions, in_caps, out_caps, dim]`: the parents at each position
see `in_caps` children. `children[p, i]` numbers the child that is input i of
position p; a child that several positions see has the same number there, and
all its parents compete for it. Each function returns poses `[positions,
out_caps, dim]`, activations `[positions, out_caps]` and a list of couplings.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tests.reference.squash import exponential_squash_vector, squash_vector

Result = tuple[np.ndarray, np.ndarray, list[np.ndarray]]


def own_children(votes: np.ndarray) -> np.ndarray:
  """Numbers children of which each is seen from one position only."""
  return np.arange(votes.shape[0] * votes.shape[1]).reshape(votes.shape[:2])


def normalized(weights: np.ndarray, children: np.ndarray) -> np.ndarray:
  """Divides each weight by the sum over all parents that see the child."""
  totals: dict[int, float] = {}
  for (p, i, _), weight in np.ndenumerate(weights):
    child = int(children[p, i])
    totals[child] = totals.get(child, 0.0) + float(weight)
  found = np.zeros(weights.shape)
  for (p, i, j), weight in np.ndenumerate(weights):
    found[p, i, j] = weight / totals[int(children[p, i])]
  return found


def exponentials(logits: np.ndarray) -> np.ndarray:
  """Returns exp, scaled to the middle of the range of numbers."""
  return np.exp(logits - np.max(logits))


def norm(vector: np.ndarray) -> float:
  return math.sqrt(sum(float(x) ** 2 for x in vector))


def weighted_sums(votes: np.ndarray, couplings: np.ndarray) -> np.ndarray:
  positions, in_caps, out_caps, dim = votes.shape
  sums = np.zeros((positions, out_caps, dim))
  for p, i, j in np.ndindex(positions, in_caps, out_caps):
    sums[p, j] += couplings[p, i, j] * votes[p, i, j]
  return sums


def each(function: Callable, poses: np.ndarray) -> np.ndarray:
  """Applies a function of one vector to each pose."""
  found = [function(poses[index]) for index in np.ndindex(poses.shape[:2])]
  return np.array(found).reshape(poses.shape[:2] + np.shape(found[0]))


def agreement(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  num_iterations: int = 3,
  bias: np.ndarray | None = None,
  log_priors: np.ndarray | None = None,
) -> Result:
  del activations
  logits = np.zeros(votes.shape[:3])
  if log_priors is not None:
    logits += log_priors
  all_couplings = []
  for _ in range(num_iterations):
    couplings = normalized(exponentials(logits), children)
    all_couplings.append(couplings)
    sums = weighted_sums(votes, couplings)
    poses = each(squash_vector, sums if bias is None else sums + bias)
    for p, i, j in np.ndindex(logits.shape):
      logits[p, i, j] += np.dot(votes[p, i, j], poses[p, j])
  return poses, each(norm, poses), all_couplings


def self_attention(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  priors: np.ndarray | None = None,
) -> Result:
  del activations
  positions, in_caps, out_caps, dim = votes.shape
  scores = np.zeros((positions, in_caps, out_caps))
  for p, i, j in np.ndindex(scores.shape):
    for other in range(in_caps):
      inner = float(np.dot(votes[p, i, j], votes[p, other, j]))
      scores[p, i, j] += inner / math.sqrt(dim)
  couplings = normalized(exponentials(scores), children)
  if priors is not None:
    couplings = couplings + priors
  poses = each(exponential_squash_vector, weighted_sums(votes, couplings))
  return poses, each(norm, poses), [couplings]


def em(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  beta_u: np.ndarray,
  beta_a: np.ndarray,
  num_iterations: int = 3,
  inverse_temperature: float = 0.01,
  variance_floor: float = 5e-4,
  mean_damping: float = 0.0,
) -> Result:
  positions, in_caps, out_caps, dim = votes.shape
  couplings = normalized(np.ones((positions, in_caps, out_caps)), children)
  all_couplings = [couplings]
  means = np.zeros((positions, out_caps, dim))
  variances = np.zeros((positions, out_caps, dim))
  found = np.zeros((positions, out_caps))
  for iteration in range(1, num_iterations + 1):
    temperature = inverse_temperature * (1 - 0.95**iteration)
    for p, j in np.ndindex(positions, out_caps):
      share = couplings[p, :, j] * activations[p]
      mass, cost = float(np.sum(share)), 0.0
      for h in range(dim):
        component = votes[p, :, j, h]
        mean = np.sum(share * component) / mass
        mean = mean_damping * means[p, j, h] + (1 - mean_damping) * mean
        variance = np.sum(share * (component - mean) ** 2) / mass
        variance += variance_floor
        means[p, j, h], variances[p, j, h] = mean, variance
        cost += (beta_u[j] + math.log(math.sqrt(variance))) * mass
      found[p, j] = 1 / (1 + math.exp(-temperature * (beta_a[j] - cost)))
    if iteration == num_iterations:
      break
    logits = np.zeros(couplings.shape)
    for p, i, j in np.ndindex(couplings.shape):
      logits[p, i, j] = math.log(found[p, j])
      for h in range(dim):
        square = (votes[p, i, j, h] - means[p, j, h]) ** 2
        variance = variances[p, j, h]
        logits[p, i, j] += -square / (2 * variance)
        logits[p, i, j] -= math.log(math.sqrt(2 * math.pi * variance))
    couplings = normalized(exponentials(logits), children)
    all_couplings.append(couplings)
  return means, found, all_couplings


def digamma(x: float) -> float:
  """Computes the digamma function by its recurrence and asymptotic series."""
  found = 0.0
  while x < 20:
    found -= 1 / x
    x += 1
  square = 1 / (x * x)
  series = square * (1 / 12 - square * (1 / 120 - square / 252))
  return found + math.log(x) - 1 / (2 * x) - series


def variational(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  beta_u: np.ndarray,
  beta_a: np.ndarray,
  num_iterations: int = 3,
  concentration: float = 1.0,
  mean_precision: float = 1.0,
  full_covariance: bool = False,
) -> Result:
  """As in the paper's section 3, with means m, weighted means mu, and so on."""
  positions, in_caps, out_caps, dim = votes.shape
  couplings = normalized(np.ones((positions, in_caps, out_caps)), children)
  all_couplings = [couplings]
  m = np.zeros((positions, out_caps, dim))
  log_precision, log_share = np.zeros((2, positions, out_caps))
  for iteration in range(num_iterations):
    logits = np.zeros(couplings.shape)
    for p in range(positions):
      masses = [
        float(np.sum(couplings[p, :, j] * activations[p]))
        for j in range(out_caps)
      ]
      total = sum(concentration + mass for mass in masses)
      for j, mass in enumerate(masses):
        share = couplings[p, :, j] * activations[p]
        kappa, nu = mean_precision + mass, dim + 1 + mass
        mu = share @ votes[p, :, j] / mass
        m[p, j] = mass * mu / kappa
        apart = votes[p, :, j] - mu
        inverse = np.eye(dim) + (apart.T * share) @ apart
        inverse += mean_precision * mass / kappa * np.outer(mu, mu)
        if not full_covariance:
          inverse = np.diag(np.diag(inverse))
        scale = np.linalg.inv(inverse)
        log_precision[p, j] = sum(digamma((nu - d) / 2) for d in range(dim))
        log_precision[p, j] += dim * math.log(2)
        log_precision[p, j] += math.log(np.linalg.det(scale))
        log_share[p, j] = digamma(concentration + mass) - digamma(total)
        for i in range(in_caps):
          distance = votes[p, i, j] - m[p, j]
          square = dim / kappa + nu * distance @ scale @ distance
          density = log_precision[p, j] - dim * math.log(2 * math.pi) - square
          logits[p, i, j] = log_share[p, j] + density / 2
    if iteration < num_iterations - 1:
      couplings = normalized(exponentials(logits), children)
      all_couplings.append(couplings)
  entropy = 0.5 * (dim * math.log(2 * math.pi * math.e) - log_precision)
  evidence = beta_a - (np.exp(log_share) * entropy + beta_u)
  return m, 1 / (1 + np.exp(-evidence)), all_couplings


def self_routing(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  routing_logits: np.ndarray,
) -> Result:
  positions, in_caps, out_caps, dim = votes.shape
  couplings = normalized(exponentials(routing_logits), children)
  poses = np.zeros((positions, out_caps, dim))
  found = np.zeros((positions, out_caps))
  for p, j in np.ndindex(positions, out_caps):
    share = couplings[p, :, j] * activations[p]
    found[p, j] = np.sum(share) / np.sum(activations[p])
    for i in range(in_caps):
      poses[p, j] += share[i] * votes[p, i, j] / np.sum(share)
  return poses, found, [couplings]


def inverted_attention(
  votes: np.ndarray,
  activations: np.ndarray,
  children: np.ndarray,
  *,
  num_iterations: int = 2,
  initial_poses: np.ndarray | None = None,
  scale: np.ndarray | None = None,
  bias: np.ndarray | None = None,
) -> Result:
  del activations
  dim, all_couplings = votes.shape[-1], []
  poses: Any = initial_poses

  def layer_norm(vector):
    mean = sum(vector) / dim
    variance = sum((x - mean) ** 2 for x in vector) / dim
    found = (vector - mean) / math.sqrt(variance + 1e-5)
    found = found if scale is None else found * scale
    return found if bias is None else found + bias

  for _ in range(num_iterations):
    logits = np.zeros(votes.shape[:3])
    for p, i, j in np.ndindex(logits.shape):
      if poses is not None:
        inner = float(np.dot(votes[p, i, j], poses[p, j]))
        logits[p, i, j] = inner / math.sqrt(dim)
    couplings = normalized(exponentials(logits), children)
    all_couplings.append(couplings)
    poses = each(layer_norm, weighted_sums(votes, couplings))
  return poses, np.ones(poses.shape[:2]), all_couplings


def no_routing(
  votes: np.ndarray, activations: np.ndarray, children: np.ndarray
) -> Result:
  del activations, children
  couplings = np.ones(votes.shape[:3])
  poses = weighted_sums(votes, couplings)
  return poses, each(norm, poses), [couplings]
