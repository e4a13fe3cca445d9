"""Primary capsules from feature maps."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.routing import SquashFn
from capsjax.ops.squash import squash


def primary_capsules(
  features: Float[Array, '*grid channels'],
  *,
  num_types: int,
  capsule_dim: int,
  bias: Float[Array, 'num_types capsule_dim'] | None = None,
  scale: float = 1.0,
  squash_fn: SquashFn = squash,
) -> Float[Array, '*grid num_types capsule_dim']:
  """Turns the channels at each position into capsules (paper, section 4).

  Args:
    features: feature maps, channels last, on a grid of any rank.
    num_types: the number of capsules at each position.
    capsule_dim: the dimension of a capsule.
    bias: added before the squash, the same at every position.
    scale: multiplies the features before the bias is added.
    squash_fn: replaces `squash`.

  Returns:
    The capsules of each position.

  Raises:
    ValueError: if there are not `num_types * capsule_dim` channels.

  Examples:
    Four channels at each of 2x3 positions become two capsules of dimension 2:

    >>> import jax.numpy as jnp
    >>> from capsjax import primary_capsules
    >>> features = jnp.broadcast_to(jnp.array([3.0, 0.0, 0.0, 0.5]), (2, 3, 4))
    >>> capsules = primary_capsules(features, num_types=2, capsule_dim=2)
    >>> capsules.shape
    (2, 3, 2, 2)
    >>> print(capsules[0, 0])
    [[0.9 0. ]
     [0.  0.2]]
  """
  if features.shape[-1] != num_types * capsule_dim:
    raise ValueError(
      f'features must have num_types * capsule_dim = {num_types * capsule_dim} '
      f'channels, not {features.shape[-1]}'
    )
  grid = features.shape[:-1]
  preactivations = features.reshape(*grid, num_types, capsule_dim)
  if scale != 1:  # multiplying by 1 would cost a pass over memory
    preactivations *= scale
  if bias is not None:
    preactivations += jnp.broadcast_to(bias, preactivations.shape)
  return squash_fn(preactivations)
