"""The convolutional baselines of the paper (sections 5 and 6)."""

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import layers
from capsjax.models.outputs import ModelOutput
from capsjax.ops.arguments import require_images, require_same_length


class BaselineCNN(nn.Module):
  """A CNN: convolutions, fully connected layers, dropout, logits.

  The defaults are the paper's MNIST baseline: 35,445,522 parameters with
  28x28x1 images, which only SAME padding without pooling gives.

  Attributes:
    num_classes: the number of logits.
    conv_features: channels of each convolution, each followed by a ReLU.
    conv_kernel_sizes: the size of each convolution's square kernel.
    pool_size: the window and stride of the max pooling after each convolution;
      1 for no pooling.
    dense_sizes: sizes of the hidden fully connected layers, each followed by a
      ReLU.
    dropout_rate: the share of the last hidden layer's values dropped in
      training.
    dtype: the dtype of the computation; parameters are always float32.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import BaselineCNN
    >>> key, images = jax.random.key(0), jnp.zeros((2, 28, 28, 1))
    >>> variables = jax.eval_shape(BaselineCNN().init, key, images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
    35445522
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
    images: Float[Array, '*batch height width channels'],
    targets: Float[Array, '... num_classes'] | None = None,
    *,
    train: bool = False,
  ) -> ModelOutput:
    """Classifies images.

    Args:
      images: in [0, 1].
      targets: ignored; every model takes it.
      train: whether to apply dropout, which needs a 'dropout' PRNG key.

    Returns:
      Scores: the logits.
    """
    del targets
    require_images(images)
    require_same_length(
      conv_features=self.conv_features,
      conv_kernel_sizes=self.conv_kernel_sizes,
    )
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
    batch = images.shape[:-3]
    hidden = hidden.reshape(*batch, math.prod(hidden.shape[-3:]))
    for size in self.dense_sizes:
      hidden = nn.relu(nn.Dense(size, dtype=self.dtype)(hidden))
    hidden = nn.Dropout(self.dropout_rate, deterministic=not train)(hidden)
    logits = nn.Dense(self.num_classes, dtype=self.dtype)(hidden)
    return ModelOutput(logits.astype(jnp.float32))
