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

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import CapsNet
    >>> model = CapsNet(conv_features=8, num_types=2, decoder_sizes=(16,))
    >>> images = jnp.zeros((3, 28, 28, 1))
    >>> output, _ = model.init_with_output(jax.random.key(0), images)
    >>> output.scores.shape, output.capsules.shape
    ((3, 10), (3, 10, 16))
    >>> output.reconstructions.shape
    (3, 28, 28, 1)
  """

  scores: Any
  capsules: Any = None
  reconstructions: Any = None
