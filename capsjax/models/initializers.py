"""Initial values of all parameters of a network, chosen together."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float, Key

Initializer = nn.initializers.Initializer

# The capsules below the paper's class capsules, for which its code's deviation
# of 0.1 is right.
_IN_CAPS = 1152


@dataclasses.dataclass(frozen=True)
class Initializers:
  """The initialisers of a CapsNet; the paper does not give any.

  Attributes:
    conv: kernel of the first convolution.
    primary: makes that of the primary capsules' kernel, given their scale.
    capsules: transformation matrices of the routed layers.
    decoder: kernels of the decoder.
    bias: every bias.
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
  """Normal transformation matrices, smaller where more capsules vote.

  A capsule is the sum of as many votes as there are capsules below. With the
  same deviation for any number of them, those above larger images begin at
  lengths near 1, where squash has no slope, and nothing is learned.

  Args:
    key: for the values.
    shape: in_caps, out_caps, in_dim, out_dim.
    dtype: of the values.

  Returns:
    Values of deviation 0.1 for 1,152 capsules below, the official code's, and
    else `0.1 * sqrt(1152 / in_caps)`.
  """
  deviation = 0.1 * math.sqrt(_IN_CAPS / shape[0])
  return nn.initializers.normal(deviation)(key, shape, dtype)


def _scaled_lecun_normal(scale: float) -> Initializer:
  """What is scaled begins as with a scale of 1, but moves in smaller steps."""
  if not scale:
    raise ValueError('primary_scale must not be 0')
  return nn.initializers.variance_scaling(
    1 / scale**2, 'fan_in', 'truncated_normal'
  )


# Variance by the number of inputs, the primary scale made up for, biases 0.
FAN_IN = Initializers(
  conv=nn.initializers.lecun_normal(),
  primary=_scaled_lecun_normal,
  capsules=capsule_normal,
  decoder=nn.initializers.lecun_normal(),
  bias=nn.initializers.zeros,
)

# The official code's: normals cut at two standard deviations, biases 0.1.
OFFICIAL = Initializers(
  conv=nn.initializers.truncated_normal(0.05),
  primary=lambda scale: nn.initializers.truncated_normal(0.1),
  capsules=nn.initializers.truncated_normal(0.1),
  decoder=nn.initializers.truncated_normal(0.1),
  bias=nn.initializers.constant(0.1),
)
