"""Inverted dot-product attention: parents compete for their children."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.capsules import NormalizeFn, Routed
from capsjax.ops.routing import check_num_iterations
from capsjax.ops.routings.arguments import finish, prepare
from capsjax.ops.routings.normalization import over_parents

# As in the authors' code.
_EPSILON = 1e-5


def inverted_attention_routing(
  votes: Float[Array, '...'],
  activations: Float[Array, '*batch in_caps'],
  *,
  num_iterations: int = 2,
  initial_poses: Float[Array, '...'] | None = None,
  scale: Float[Array, '...'] | None = None,
  bias: Float[Array, '...'] | None = None,
  normalize: NormalizeFn = over_parents,
  return_couplings: bool = False,
) -> Routed:
  """Routes by the inner products of votes and the poses of the parents.

  The couplings of a child are the softmax, over the parents, of the inner
  products divided by `sqrt(dim)`. The pose of a parent is the sum of its votes
  weighted by the couplings, normalised over its components.

  Args:
    votes: `[*batch, in_caps, out_caps, *pose]`.
    activations: ignored but for their shape; this routing has none.
    num_iterations: the number of times that the poses are computed, at least 1.
      The first one has uniform couplings unless there are initial poses; the
      authors do not count it.
    initial_poses: `[*batch, out_caps, *pose]`, poses of the parents to start
      from. With those of the previous iteration and one iteration per call,
      all layers can be updated at the same time, which the authors call
      concurrent routing.
    scale: of the shape of a pose, multiplies the normalised poses, if given.
    bias: of the shape of a pose, added to the normalised poses, if given.
    normalize: what the couplings of a child are normalised over.
    return_couplings: also returns the couplings of every iteration.

  Returns:
    Capsules with activations of 1; with `return_couplings`, a pair of the
    capsules and the couplings.

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
    >>> capsules, couplings = ops.inverted_attention_routing(
    ...   votes, jnp.ones(3), return_couplings=True
    ... )
    >>> print(np.asarray(couplings).round(2)[:, 0])  # of the first capsule
    [[0.5 0.5]
     [0.8 0.2]]

  References:
    Tsai, Srivastava, Goh, Salakhutdinov, "Capsules with Inverted Dot-Product
    Attention Routing", 2020.
  """
  check_num_iterations(num_iterations)
  wide, _ = prepare(votes, activations)
  # Poses of 0 agree with all votes alike, so the couplings are uniform.
  poses = jnp.zeros_like(wide[..., 0, :, :])
  if initial_poses is not None:
    poses = initial_poses.astype(wide.dtype).reshape(poses.shape)
  all_couplings = []
  for _ in range(num_iterations):
    agreement = jnp.einsum('...ije,...je->...ij', wide, poses)
    couplings = normalize(agreement / wide.shape[-1] ** 0.5)
    all_couplings.append(couplings)
    sums = jnp.einsum('...ij,...ije->...je', couplings, wide)
    poses = _normalized(sums, scale, bias)
  return finish(
    poses,
    jnp.ones_like(poses[..., 0]),
    all_couplings,
    votes=votes,
    return_couplings=return_couplings,
  )


def _normalized(sums, scale, bias):
  """Applies layer normalisation to each pose."""
  centred = sums - jnp.mean(sums, -1, keepdims=True)
  variance = jnp.mean(jnp.square(centred), -1, keepdims=True)
  poses = centred / jnp.sqrt(variance + _EPSILON)
  if scale is not None:
    flat = scale.astype(poses.dtype).reshape(-1)
    poses *= jnp.broadcast_to(flat, poses.shape)
  if bias is not None:
    flat = bias.astype(poses.dtype).reshape(-1)
    poses += jnp.broadcast_to(flat, poses.shape)
  return poses
