"""The convolutional networks that the paper compares with (sections 5, 6)."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import layers
from capsjax.models.outputs import ModelOutput


class BaselineCNN(nn.Module):
  """Convolutions, fully connected layers, dropout, logits.

  The defaults are the baseline for MNIST: 35,445,522 parameters with 28x28x1
  images, a number that only SAME padding without pooling gives.

  Attributes:
    num_classes: the number of logits.
    conv_features: channels of each convolution, each followed by a ReLU.
    conv_kernel_sizes: the size of each convolution's square kernel.
    pool_size: the window and stride of a maximum pooling after each
      convolution; 1 for none.
    dense_sizes: sizes of the hidden fully connected layers, each followed by a
      ReLU.
    dropout_rate: the share of the last hidden layer's values that is dropped in
      training.
    dtype: the dtype of the computation; parameters are always float32.
  """

  num_classes: int = 10
  conv_features: Sequence[int] = (256, 256, 128)
  conv_kernel_sizes: Sequence[int] = (5, 5, 5)
  pool_size: int = 1
  dense_sizes: Sequence[int] = (328, 192)
  dropout_rate: float = 0.5
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    images: Float[Array, 'batch height width channels'],
    targets: Float[Array, 'batch *num_objects num_classes'] | None = None,
    *,
    train: bool = False,
  ) -> ModelOutput:
    """Classifies images.

    Args:
      images: in [0, 1].
      targets: has no effect; every model takes it.
      train: whether values are dropped, which takes a 'dropout' key.

    Returns:
      Scores: the logits.
    """
    del targets
    hidden = images
    window = (self.pool_size, self.pool_size)
    for features, size in zip(
      self.conv_features, self.conv_kernel_sizes, strict=True
    ):
      layer = layers.Convolution(
        features, (size, size), padding='SAME', dtype=self.dtype
      )
      hidden = nn.relu(layer(hidden))
      if self.pool_size > 1:
        hidden = nn.max_pool(hidden, window, window)
    hidden = hidden.reshape(len(images), -1)
    for size in self.dense_sizes:
      hidden = nn.relu(nn.Dense(size, dtype=self.dtype)(hidden))
    hidden = nn.Dropout(self.dropout_rate, deterministic=not train)(hidden)
    logits = nn.Dense(self.num_classes, dtype=self.dtype)(hidden)
    return ModelOutput(logits.astype(jnp.float32))
