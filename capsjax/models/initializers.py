"""Initialisers for all parameters of a network, chosen together."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

Initializer = nn.initializers.Initializer

# The number of capsules below the paper's class capsules, for which the
# official code's standard deviation of 0.1 is right.
_IN_CAPS = 1152


@dataclasses.dataclass(frozen=True)
class Initializers:
  """The initialisers of a CapsNet; the paper does not specify any.

  Attributes:
    conv: kernel of the first convolution.
    primary: maps the primary scale to the initialiser of the primary kernel.
    capsules: transformation matrices of the routed layers.
    decoder: kernels of the decoder.
    bias: every bias.

  Examples:
    The defaults, but with the official code's transformation matrices:

    >>> import dataclasses
    >>> from capsjax import CapsNet
    >>> from capsjax.models import FAN_IN, OFFICIAL
    >>> mixed = dataclasses.replace(FAN_IN, capsules=OFFICIAL.capsules)
    >>> model = CapsNet(initialization=mixed)
  """

  conv: Initializer
  primary: Callable[[float], Initializer]
  capsules: Initializer
  decoder: Initializer
  bias: Initializer


def capsule_normal(
  key: Key[Array, ''],
  shape: tuple[int, int, int, int],
  dtype: Any = jnp.float32,
) -> Float[Array, 'in_caps out_caps in_dim out_dim']:
  """Draws normal transformation matrices, smaller if more capsules vote.

  A capsule is the sum of one vote from each capsule below. With the same
  standard deviation for any number of votes, capsules above larger images would
  start at lengths near 1, where squash is flat, and learn nothing.

  Args:
    key: the PRNG key.
    shape: in_caps, out_caps, in_dim, out_dim.
    dtype: the dtype of the values.

  Returns:
    Values with a standard deviation of `0.1 * sqrt(1152 / in_caps)`, which is
    the official code's 0.1 for 1,152 capsules below.
  """
  deviation = 0.1 * math.sqrt(_IN_CAPS / shape[0])
  return nn.initializers.normal(deviation)(key, shape, dtype)


def _scaled_lecun_normal(scale: float) -> Initializer:
  """Returns an initialiser that compensates for `scale`.

  Scaled outputs start as with a scale of 1, but training moves them in smaller
  steps.
  """
  if not scale:
    raise ValueError('primary_scale must not be 0')
  return nn.initializers.variance_scaling(
    1 / scale**2, 'fan_in', 'truncated_normal'
  )


#: Variance by the number of inputs, primary scale compensated, biases 0.
FAN_IN = Initializers(
  conv=nn.initializers.lecun_normal(),
  primary=_scaled_lecun_normal,
  capsules=capsule_normal,
  decoder=nn.initializers.lecun_normal(),
  bias=nn.initializers.zeros,
)

#: The official code's: normals cut off at two standard deviations, biases 0.1.
OFFICIAL = Initializers(
  conv=nn.initializers.truncated_normal(0.05),
  primary=lambda scale: nn.initializers.truncated_normal(0.1),
  capsules=nn.initializers.truncated_normal(0.1),
  decoder=nn.initializers.truncated_normal(0.1),
  bias=nn.initializers.constant(0.1),
)
