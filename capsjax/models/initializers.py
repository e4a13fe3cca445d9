"""Initial values of all parameters of a network, chosen together."""

import dataclasses

from flax import linen as nn

Initializer = nn.initializers.Initializer


@dataclasses.dataclass(frozen=True)
class Initializers:
  """The initialisers of a CapsNet; the paper does not give any.

  Attributes:
    conv: kernel of the first convolution.
    primary: kernel of the primary capsules.
    capsules: transformation matrices of the routed layers.
    decoder: kernels of the decoder.
    bias: every bias.
  """

  conv: Initializer
  primary: Initializer
  capsules: Initializer
  decoder: Initializer
  bias: Initializer


# Variance by the number of inputs, but for the routed layers (the official
# deviation, not cut), and biases 0.
FAN_IN = Initializers(
  conv=nn.initializers.lecun_normal(),
  primary=nn.initializers.lecun_normal(),
  capsules=nn.initializers.normal(0.1),
  decoder=nn.initializers.lecun_normal(),
  bias=nn.initializers.zeros,
)

# The official code's: normals cut at two standard deviations, biases 0.1.
OFFICIAL = Initializers(
  conv=nn.initializers.truncated_normal(0.05),
  primary=nn.initializers.truncated_normal(0.1),
  capsules=nn.initializers.truncated_normal(0.1),
  decoder=nn.initializers.truncated_normal(0.1),
  bias=nn.initializers.constant(0.1),
)
