"""No routing: the votes are added up."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routings.arguments import equal_logits, finish, prepare
from capsjax.ops.squash import lengths


def no_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  pose_fn: Callable[[Array], Array] = lambda sums: sums,
  normalize: NormalizeFn = jnp.ones_like,
  return_couplings: bool = False,
) -> Routed:
  """Adds up the votes for each output capsule, without any routing.

  With `ElementwiseVotes` these are the homogeneous vector capsules.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: ignored but for their shape; the poses' lengths take their
      place.
    pose_fn: maps the sums `[*batch, out_caps, dim]` to poses, with one axis for
      a pose.
    normalize: gives the couplings; by default all are 1.
    return_couplings: also returns the couplings, of one iteration.

  Returns:
    Capsules, whose activations are the lengths of their poses; with
    `return_couplings`, a pair of the capsules and the couplings.

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
    >>> capsules = ops.no_routing(votes, jnp.ones(3))
    >>> print(capsules.poses, capsules.activations)
    [[3. 0.]
     [1. 0.]] [3. 1.]

  References:
    Byerly, Kalganova, Dear, "No Routing Needed Between Capsules", 2021.
  """
  wide, _ = prepare(votes, activations)
  couplings = normalize(equal_logits(wide))
  poses = pose_fn(jnp.einsum('...ij,...ije->...je', couplings, wide))
  return finish(
    poses,
    lengths(poses),
    [couplings],
    votes=votes,
    return_couplings=return_couplings,
  )
