"""Losses, one value per example; steps average them."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax.ops.arguments import require_floating, require_same_shape


def margin_loss(
  lengths: Float[Array, '*batch num_classes'],
  targets: Float[Array, '*batch num_classes'],
  *,
  positive_margin: float = 0.9,
  negative_margin: float = 0.1,
  down_weight: float = 0.5,
) -> Float[Array, '*batch']:
  """Computes the margin loss of each example, summed over the classes.

  Equation 4, with `T_k` = 1 if class k is present and 0 otherwise:
  `L_k = T_k max(0, m+ - |v_k|)^2 + lambda (1 - T_k) max(0, |v_k| - m-)^2`.

  Args:
    lengths: capsule lengths in [0, 1).
    targets: 1 for every class that is present, else 0; several may be present.
    positive_margin: m+, the length that a present class should exceed.
    negative_margin: m-, the length that an absent class should stay below.
    down_weight: lambda, the weight of absent classes.

  Returns:
    The loss of each example, at least 0.

  Raises:
    ValueError: if the shapes differ, or the lengths are integers.

  Examples:
    The first of two classes is present. Lengths beyond both margins cost
    nothing; two lengths of 0.5 cost 0.4^2 and half of 0.4^2:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import margin_loss
    >>> lengths = jnp.array([[0.95, 0.05], [0.5, 0.5]])
    >>> losses = margin_loss(lengths, jnp.array([[1.0, 0.0], [1.0, 0.0]]))
    >>> print(np.asarray(losses).round(2))
    [0.   0.24]

  References:
    Sabour, Frosst, Hinton, "Dynamic Routing Between Capsules", 2017, Eq. 4.
  """
  require_floating(lengths=lengths)
  require_same_shape(lengths=lengths, targets=targets)
  present = jnp.square(jnp.maximum(0, positive_margin - lengths))
  absent = jnp.square(jnp.maximum(0, lengths - negative_margin))
  losses = targets * present + down_weight * (1 - targets) * absent
  return jnp.sum(losses, -1)


def reconstruction_loss(
  reconstructions: Float[Array, '*batch height width channels'],
  images: Float[Array, '*batch height width channels'],
) -> Float[Array, '*batch']:
  """Sums the squared differences over the pixels of each example.

  Args:
    reconstructions: decoded images, in [0, 1].
    images: the images to reconstruct, in [0, 1].

  Returns:
    The loss of each example, at least 0, before the paper's scaling by 0.0005
    (section 4.1).

  Raises:
    ValueError: if the shapes differ, or an array is one of integers.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax import reconstruction_loss
    >>> black, grey = jnp.zeros((1, 28, 28, 1)), jnp.full((1, 28, 28, 1), 0.5)
    >>> print(reconstruction_loss(black, grey))
    [196.]
  """
  require_floating(reconstructions=reconstructions, images=images)
  require_same_shape(reconstructions=reconstructions, images=images)
  return jnp.sum(jnp.square(reconstructions - images), (-3, -2, -1))


def spread_loss(
  activations: Float[Array, '*batch num_classes'],
  targets: Float[Array, '*batch num_classes'],
  *,
  margin: float | Float[Array, ''] = 0.9,
) -> Float[Array, '*batch']:
  """Computes the spread loss of each example, summed over the other classes.

  `L = sum_i max(0, m - (a_t - a_i))^2` over the classes i other than the true
  class t.

  Args:
    activations: activations of the class capsules in [0, 1].
    targets: 1 for the one class that is present, else 0.
    margin: m, by which the true class should exceed the others.

  Returns:
    The loss of each example, at least 0.

  Raises:
    ValueError: if the shapes differ, or the activations are integers.

  Examples:
    The true class leads one other by enough, and the other by 0.4 too little:

    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import ops
    >>> activations = jnp.array([1.0, 0.0, 0.5])
    >>> losses = ops.spread_loss(activations, jnp.array([1.0, 0.0, 0.0]))
    >>> print(np.asarray(losses).round(2))
    0.16

  References:
    Hinton, Sabour, Frosst, "Matrix Capsules with EM Routing", 2018, Eq. 3.
  """
  require_floating(activations=activations)
  require_same_shape(activations=activations, targets=targets)
  of_target = jnp.sum(targets * activations, -1, keepdims=True)
  lacking = jnp.maximum(0, margin - (of_target - activations))
  return jnp.sum((1 - targets) * jnp.square(lacking), -1)


def activation_nll(
  activations: Float[Array, '*batch num_classes'],
  targets: Float[Array, '*batch num_classes'],
) -> Float[Array, '*batch']:
  """Computes minus the logarithm of the true class's activation.

  Args:
    activations: activations of the class capsules, in [0, 1] and of sum 1, as
      `self_routing` gives them.
    targets: 1 for the one class that is present, else 0.

  Returns:
    The loss of each example, at least 0. Activations that underflow count as
    the smallest number, without a gradient.

  Raises:
    ValueError: if the shapes differ, or the activations are integers.

  Examples:
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from capsjax import ops
    >>> activations = jnp.array([[0.5, 0.5], [0.9, 0.1]])
    >>> losses = ops.activation_nll(activations, jnp.array([[1.0, 0.0]] * 2))
    >>> print(np.asarray(losses).round(2))
    [0.69 0.11]
  """
  require_floating(activations=activations)
  require_same_shape(activations=activations, targets=targets)
  of_target = jnp.sum(targets * activations, -1)
  tiny = jnp.finfo(activations.dtype).tiny
  return -jnp.log(jnp.maximum(of_target, tiny))
