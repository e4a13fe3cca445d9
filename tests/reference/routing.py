"""Procedure 1 as the paper writes it: loops over i, j and the dimensions."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.reference.squash import squash_vector


class Iteration(NamedTuple):
  """The result of one routing iteration for one example.

  Attributes:
    routing_logits: `b_ij` before the iteration.
    couplings: `c_ij`.
    capsules: `v_j`.
  """

  routing_logits: np.ndarray
  couplings: np.ndarray
  capsules: np.ndarray


def compute_votes(inputs: np.ndarray, kernel: np.ndarray) -> np.ndarray:
  """Computes one example's votes `W_ij u_i`, `[in_caps, out_caps, out_dim]`."""
  in_caps, out_caps, _, out_dim = kernel.shape
  votes = np.zeros((in_caps, out_caps, out_dim))
  for i in range(in_caps):
    for j in range(out_caps):
      votes[i, j] = inputs[i] @ kernel[i, j]
  return votes


def softmax(logits: np.ndarray, *, leaky: bool) -> np.ndarray:
  """Returns the shares of one child among its parents, smaller with a leak."""
  largest = max([*logits, 0.0]) if leaky else max(logits)
  exponentials = [math.exp(logit - largest) for logit in logits]
  total = sum(exponentials) + (math.exp(-largest) if leaky else 0)
  return np.array([exponential / total for exponential in exponentials])


def weighted_sum(
  votes: np.ndarray,
  routing_logits: np.ndarray,
  *,
  leaky: bool = False,
  bias: np.ndarray | None = None,
  squash_fn: Callable = squash_vector,
) -> tuple[np.ndarray, np.ndarray]:
  """Computes couplings, then capsules, of one example (lines 4 to 6)."""
  in_caps, out_caps, dim = votes.shape
  couplings = np.array([softmax(row, leaky=leaky) for row in routing_logits])
  capsules = np.zeros((out_caps, dim))
  for j in range(out_caps):
    preactivation = np.zeros(dim) if bias is None else np.array(bias[j])
    for i in range(in_caps):
      preactivation = preactivation + couplings[i, j] * votes[i, j]
    capsules[j] = squash_fn(preactivation)
  return couplings, capsules


def iterations(
  votes: np.ndarray,
  *,
  num_iterations: int = 3,
  log_priors: np.ndarray | None = None,
  stop_gradient: bool = False,
  **options,
) -> list[Iteration]:
  """Runs every iteration of Procedure 1 for one example."""
  del stop_gradient  # changes no value
  in_caps, out_caps, _ = votes.shape
  routing_logits = np.zeros((in_caps, out_caps))
  if log_priors is not None:
    routing_logits = np.array(log_priors, np.float64)
  found = []
  for _ in range(num_iterations):
    couplings, capsules = weighted_sum(votes, routing_logits, **options)
    found.append(Iteration(routing_logits.copy(), couplings, capsules))
    for i in range(in_caps):
      for j in range(out_caps):
        routing_logits[i, j] += float(np.dot(votes[i, j], capsules[j]))
  return found


def dynamic_routing(
  votes: np.ndarray, **options
) -> tuple[np.ndarray, np.ndarray]:
  """Routes votes `[*batch, in_caps, out_caps, dim]`, example by example.

  Returns:
    Capsules `[*batch, out_caps, dim]` and the couplings of every iteration,
    `[num_iterations, *batch, in_caps, out_caps]`.
  """
  batch = votes.shape[:-3]
  runs = [iterations(votes[b], **options) for b in np.ndindex(batch)]
  capsules = np.array([run[-1].capsules for run in runs])
  couplings = np.array([[step.couplings for step in run] for run in runs])
  return (
    capsules.reshape(*batch, *capsules.shape[1:]),
    np.moveaxis(couplings, 1, 0).reshape(-1, *batch, *couplings.shape[2:]),
  )


def route(
  inputs: np.ndarray, kernel: np.ndarray, **options
) -> tuple[np.ndarray, np.ndarray]:
  """`dynamic_routing` from inputs `[*batch, in_caps, in_dim]` and kernel."""
  batch = inputs.shape[:-2]
  votes = [compute_votes(inputs[b], kernel) for b in np.ndindex(batch)]
  return dynamic_routing(
    np.array(votes).reshape(*batch, *votes[0].shape), **options
  )
