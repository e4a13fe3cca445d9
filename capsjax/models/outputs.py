"""What every model returns."""

from flax import struct
from jaxtyping import Array, Float


@struct.dataclass
class ModelOutput:
  """The result of a model for a batch of images.

  Attributes:
    scores: the evidence for each class; the highest is the prediction. Capsule
      lengths in [0, 1) of a CapsNet, logits of a baseline.
    capsules: class capsules, or None if the model has none.
    reconstructions: decoded images in [0, 1], or None without a decoder.
  """

  scores: Float[Array, '*batch num_classes']
  capsules: Float[Array, '*batch num_classes dim'] | None = None
  reconstructions: Float[Array, '*batch height width channels'] | None = None
