"""What every routing does with its arguments and results."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from capsjax.ops.arguments import require_floating
from capsjax.ops.capsules import Capsules, Routed
from capsjax.ops.precision import at_least_float32

# A parent with less has practically no votes; its mean shrinks to 0.
_LEAST_MASS = 1e-12


def prepare(
  votes: Float[Array, '...'], activations: Float[Array, '*batch in_caps']
) -> tuple[
  Float[Array, '*batch in_caps out_caps dim'], Float[Array, '*batch in_caps']
]:
  """Makes one axis of each vote's pose, and widens half precision.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: the activations of the input capsules.

  Returns:
    The votes and activations to compute with, float32 or wider.

  Raises:
    ValueError: if the votes are not those of such capsules.
  """
  require_floating(votes=votes, activations=activations)
  shape, rank = votes.shape, activations.ndim
  if shape[:rank] != activations.shape or len(shape) < rank + 2:
    expected = ', '.join([*map(str, activations.shape), 'out_caps', '*pose'])
    raise ValueError(
      f'votes of input capsules with activations {activations.shape} must have '
      f'the shape ({expected}), not {shape}'
    )
  if len(shape) > rank + 2:
    votes = votes.reshape(*shape[: rank + 1], math.prod(shape[rank + 1 :]))
  wide = at_least_float32(votes.dtype)
  return votes.astype(wide), activations.astype(wide)


def equal_logits(
  votes: Float[Array, '*batch in_caps out_caps dim'],
) -> Float[Array, '*batch in_caps out_caps']:
  """Returns logits of 0, from which couplings start."""
  # Otherwise XLA computes the couplings of the whole batch when it compiles.
  return lax.optimization_barrier(jnp.zeros_like(votes[..., 0]))


def divide(
  values: Float[Array, '...'], mass: Float[Array, '...']
) -> Float[Array, '...']:
  """Divides by a mass, or by the smallest one that keeps gradients finite."""
  return values / jnp.maximum(mass, _LEAST_MASS)


def finish(
  poses: Float[Array, '*batch out_caps dim'],
  activations: Float[Array, '*batch out_caps'],
  couplings: Sequence[Float[Array, '...']],
  *,
  votes: Float[Array, '...'],
  return_couplings: bool,
) -> Routed:
  """Returns what a routing returns, in the dtype of the votes.

  Args:
    poses: the poses, with one axis.
    activations: their activations.
    couplings: those of each iteration, `[*batch, in_caps, out_caps]` or without
      the batch.
    votes: as the routing was given them.
    return_couplings: whether to return the couplings.
  """
  rank = activations.ndim
  pose = votes.shape[rank + 1 :]
  if len(pose) > 1:
    poses = poses.reshape(*poses.shape[:-1], *pose)
  capsules = Capsules(
    poses.astype(votes.dtype), activations.astype(votes.dtype)
  )
  if not return_couplings:
    return capsules
  shape = votes.shape[: rank + 1]
  stacked = jnp.stack([jnp.broadcast_to(c, shape) for c in couplings])
  return capsules, stacked.astype(votes.dtype)
