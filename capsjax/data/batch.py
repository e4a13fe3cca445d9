"""What a training or evaluation step is given."""

from typing import NamedTuple

from jaxtyping import Array, Float


class Batch(NamedTuple):
  """Examples on the device, ready for a model.

  Attributes:
    images: in [0, 1], float32.
    targets: 1 for each class that is present, else 0.
    weights: 1 for an example, 0 for padding.
  """

  images: Float[Array, 'batch height width channels']
  targets: Float[Array, 'batch num_classes']
  weights: Float[Array, ' batch']
