"""Masks that choose which class capsules to decode: true, longest or top k."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def label_mask(
  labels: Int[Array, '*batch'], *, num_classes: int
) -> Float[Array, '*batch num_classes']:
  """Selects the capsule of the true class, as the paper does in training.

  Args:
    labels: the class of each example, from 0 to `num_classes - 1`.
    num_classes: the number of classes.

  Returns:
    A float32 mask with a 1 at the label and 0 elsewhere.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import label_mask
    >>> print(label_mask(jnp.array([2, 0]), num_classes=3))
    [[0. 0. 1.]
     [1. 0. 0.]]
  """
  return jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)


def top_k_mask(
  lengths: Float[Array, '*batch num_classes'], *, k: int
) -> Float[Array, '*batch num_classes']:
  """Selects the k longest capsules: the prediction when k classes are present.

  Args:
    lengths: capsule lengths.
    k: how many capsules to select, from 1 to the number of classes.

  Returns:
    A float32 mask with exactly k ones; ties go to the first capsule.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import top_k_mask
    >>> print(top_k_mask(jnp.array([0.8, 0.1, 0.9]), k=2))
    [1. 0. 1.]
  """
  return jnp.sum(top_k_masks(lengths, k=k), -2)


def top_k_masks(
  lengths: Float[Array, '*batch num_classes'], *, k: int
) -> Float[Array, '*batch k num_classes']:
  """Selects each of the k longest capsules in a mask of its own.

  Args:
    lengths: capsule lengths.
    k: how many capsules to select, from 1 to the number of classes.

  Returns:
    k float32 masks with one 1 each, in class order.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import top_k_masks
    >>> print(top_k_masks(jnp.array([0.8, 0.1, 0.9]), k=2))
    [[1. 0. 0.]
     [0. 0. 1.]]
  """
  _, indices = jax.lax.top_k(lengths, k)
  return label_mask(jnp.sort(indices), num_classes=lengths.shape[-1])


def longest_mask(
  lengths: Float[Array, '*batch num_classes'],
) -> Float[Array, '*batch num_classes']:
  """Selects the longest capsule: the predicted class.

  Args:
    lengths: capsule lengths.

  Returns:
    A float32 mask with exactly one 1; ties go to the first capsule.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import longest_mask
    >>> print(longest_mask(jnp.array([0.8, 0.1, 0.9])))
    [0. 0. 1.]
  """
  return label_mask(jnp.argmax(lengths, -1), num_classes=lengths.shape[-1])


def mask_capsules(
  capsules: Float[Array, '*batch num_capsules dim'],
  mask: Float[Array, '*batch num_capsules'],
) -> Float[Array, '*batch num_capsules dim']:
  """Zeroes the capsules that a mask does not select.

  Args:
    capsules: class capsules.
    mask: 1 for every capsule to keep, 0 for the others.

  Returns:
    The capsules, zero where the mask is 0.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import mask_capsules
    >>> capsules = jnp.array([[0.6, 0.8], [0.3, 0.4]])
    >>> print(mask_capsules(capsules, jnp.array([0.0, 1.0])))
    [[0.  0. ]
     [0.3 0.4]]
  """
  return capsules * mask[..., None].astype(capsules.dtype)
