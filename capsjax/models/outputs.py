"""The output of every model."""

from typing import Any

from flax import struct


@struct.dataclass
class ModelOutput:
  """A model's output for a batch of images.

  Attributes:
    scores: `[*batch, num_classes]`, the evidence for each class; the highest is
      the prediction. A CapsNet gives capsule lengths in [0, 1), a baseline
      gives logits.
    capsules: `[*batch, num_classes, dim]`, class capsules, or None if the model
      has none.
    reconstructions: `[*batch, height, width, channels]`, decoded images in
      [0, 1], or None without a decoder.
  """

  scores: Any
  capsules: Any = None
  reconstructions: Any = None
