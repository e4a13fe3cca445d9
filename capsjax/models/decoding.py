"""Which capsules of an image are decoded."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax import ops


def capsules_to_decode(
  capsules: Float[Array, '*batch num_classes dim'],
  scores: Float[Array, '*batch num_classes'],
  targets: Float[Array, '... num_classes'] | None,
  *,
  num_labels: int,
) -> Float[Array, '... num_classes dim']:
  """Zeroes the capsules that are not decoded (paper, section 4.1).

  Args:
    capsules: class capsules.
    scores: their lengths.
    targets: 1 for each capsule to decode: `[*batch, num_classes]`, or
      `[*batch, num_objects, num_classes]` to decode objects separately. If
      None, the `num_labels` longest capsules are decoded, separately and in
      class order if there are several.
    num_labels: the number of objects in an image.

  Returns:
    Capsules of the shape of the targets, and `dim`.
  """
  if targets is None and num_labels == 1:
    targets = ops.longest_mask(scores)
  elif targets is None:
    targets = ops.top_k_masks(scores, k=num_labels)
  if targets.ndim > scores.ndim:
    shape = *targets.shape, capsules.shape[-1]
    capsules = jnp.broadcast_to(capsules[..., None, :, :], shape)
  return ops.mask_capsules(capsules, targets)
