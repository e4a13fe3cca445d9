"""Capsules with poses of any shape, and the votes of such capsules."""

import math
from typing import Any, NamedTuple

from jaxtyping import Array, Float


class Capsules(NamedTuple):
  """Capsules, each with a pose and an activation.

  Attributes:
    poses: `[*batch, num_capsules, *pose]`; a pose is a vector, a matrix, or an
      array of any other shape.
    activations: `[*batch, num_capsules]`, the evidence that each capsule's
      entity is present, in [0, 1].
  """

  poses: Any
  activations: Any


# What a routing returns: the capsules of the layer above and, if asked for, the
# couplings of every iteration.
Routed = (
  Capsules
  | tuple[Capsules, Float[Array, 'num_iterations *batch in_caps out_caps']]
)


def flatten_votes(
  votes: Float[Array, '...'], activations: Float[Array, '*batch in_caps']
) -> tuple[Float[Array, '*batch in_caps out_caps dim'], tuple[int, ...]]:
  """Makes one axis of the poses of votes.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: the activations of the input capsules.

  Returns:
    The votes, and the shape of a pose.

  Raises:
    ValueError: if the votes are not those of such capsules.
  """
  shape, rank = votes.shape, activations.ndim
  if shape[:rank] != activations.shape or len(shape) < rank + 2:
    raise ValueError(
      f'the votes of input capsules {activations.shape} must have the shape '
      f'{(*activations.shape, "out_caps", "...")}, not {shape}'
    )
  pose = shape[rank + 1 :]
  if len(pose) > 1:
    votes = votes.reshape(*shape[: rank + 1], math.prod(pose))
  return votes, pose


def unflatten_poses(
  poses: Float[Array, '*batch num_capsules dim'], pose: tuple[int, ...]
) -> Float[Array, '...']:
  """Gives poses `[*batch, num_capsules, dim]` their shape back."""
  if len(pose) == 1:
    return poses
  return poses.reshape(*poses.shape[:-1], *pose)
