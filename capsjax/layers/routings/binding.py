"""Makes a routing's function of votes and activations that of a layer."""

from collections.abc import Callable

import jax

from capsjax import ops
from capsjax.layers.routed import RouteFn


def bind(routing: Callable[..., ops.Routed]) -> RouteFn:
  """Returns the `RouteFn` of a function of votes and activations."""

  def route(inputs, votes, *, normalize, return_couplings):
    return routing(
      votes,
      inputs.activations,
      normalize=normalize,
      return_couplings=return_couplings,
    )

  return route


def pair_of(
  inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
) -> tuple[int, int]:
  """Returns the numbers of input and of output capsules."""
  rank = len(inputs.activations.shape)
  return votes.shape[rank - 1], votes.shape[rank]


def pose_of(
  inputs: ops.Capsules, votes: jax.ShapeDtypeStruct
) -> tuple[int, ...]:
  """Returns the shape of an output pose."""
  return votes.shape[len(inputs.activations.shape) + 1 :]
