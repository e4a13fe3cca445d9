"""Efficient-CapsNet: four convolutions, self-attention routing, few weights."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import layers, ops
from capsjax.models.decoding import capsules_to_decode
from capsjax.models.outputs import ModelOutput
from capsjax.ops.arguments import require_images, require_same_length


class EfficientCapsNet(nn.Module):
  """Convolutions with batch normalisation, then two layers of capsules.

  The defaults are the network for MNIST. With 28x28x1 images it has 161,824
  parameters without the decoder, which is that of `CapsNet`. Its running
  statistics are the collection `batch_stats`.

  Attributes:
    num_classes: the number of class capsules.
    capsule_dim: the dimension of a class capsule.
    conv_features: channels of each convolution, each followed by a ReLU and
      batch normalisation.
    conv_kernel_sizes: the size of each convolution's square kernel.
    conv_strides: the stride of each convolution along both axes.
    num_primary: the number of primary capsules.
    primary_dim: the dimension of a primary capsule. The last convolution must
      have `num_primary * primary_dim` channels.
    has_decoder: whether images are reconstructed.
    decoder_sizes: the decoder's hidden layers.
    num_labels: the number of objects in an image; this many of the longest
      capsules are decoded when no targets are given.
    dtype: the dtype of the computation; parameters, statistics, scores and
      reconstructions are always float32.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax.models import EfficientCapsNet
    >>> model = EfficientCapsNet(has_decoder=False)
    >>> key, images = jax.random.key(0), jnp.zeros((2, 28, 28, 1))
    >>> variables = jax.eval_shape(model.init, key, images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
    161824

  References:
    Mazzia, Salvetti, Chiaberge, "Efficient-CapsNet: capsule network with
    self-attention routing", Scientific Reports 11, 2021. The initial values and
    the constants of the batch normalisation are those of the authors' code.
  """

  num_classes: int = 10
  capsule_dim: int = 16
  conv_features: Sequence[int] = (32, 64, 64, 128)
  conv_kernel_sizes: Sequence[int] = (5, 3, 3, 3)
  conv_strides: Sequence[int] = (1, 1, 1, 2)
  num_primary: int = 16
  primary_dim: int = 8
  has_decoder: bool = True
  decoder_sizes: Sequence[int] = (512, 1024)
  num_labels: int = 1
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    images: Float[Array, '*batch height width channels'],
    targets: Float[Array, '... num_classes'] | None = None,
    *,
    train: bool = False,
    axis_name: str | None = None,
  ) -> ModelOutput:
    """Classifies images and reconstructs them.

    Args:
      images: in [0, 1].
      targets: as for `CapsNet`.
      train: whether to normalise by the statistics of the batch, and to update
        the running ones: apply with `mutable=['batch_stats']`.
      axis_name: the device axis over which the batch is shared, if any.

    Returns:
      Scores (the lengths of the class capsules), class capsules and, with a
      decoder, reconstructions.
    """
    require_images(images)
    require_same_length(
      conv_features=self.conv_features,
      conv_kernel_sizes=self.conv_kernel_sizes,
      conv_strides=self.conv_strides,
    )
    features = self._features(images, train=train, axis_name=axis_name)
    poses = self._primary_capsules()(features)
    capsules = self._class_capsules()(
      ops.Capsules(poses, ops.lengths(poses)), train=train, axis_name=axis_name
    )
    poses = capsules.poses.astype(jnp.float32)
    scores = ops.lengths(poses)
    if not self.has_decoder:
      return ModelOutput(scores, poses)
    chosen = capsules_to_decode(
      poses, scores, targets, num_labels=self.num_labels
    )
    reconstructions = self.create_decoder(images.shape[-3:])(chosen)
    return ModelOutput(scores, poses, reconstructions.astype(jnp.float32))

  @nn.nowrap  # so that it can be called without the parameters
  def create_decoder(self, image_shape: tuple[int, ...]) -> layers.Decoder:
    """Returns the network's decoder; its parameters are `params['decoder']`."""
    return layers.Decoder(
      tuple(image_shape),
      self.decoder_sizes,
      kernel_init=nn.initializers.he_normal(),
      dtype=self.dtype,
      name='decoder',
    )

  def _features(self, images, *, train, axis_name):
    features = images
    sizes = zip(
      self.conv_features,
      self.conv_kernel_sizes,
      self.conv_strides,
      strict=True,
    )
    for index, (channels, size, stride) in enumerate(sizes):
      convolution = layers.Convolution(
        channels,
        (size, size),
        (stride, stride),
        kernel_init=nn.initializers.he_normal(),
        dtype=self.dtype,
        name=f'conv_{index}',
      )
      features = layers.batch_norm(
        nn.relu(convolution(features)),
        name=f'norm_{index}',
        train=train,
        axis_name=axis_name,
      )
    return features

  def _primary_capsules(self):
    return layers.PrimaryCapsules(
      self.num_primary,
      self.primary_dim,
      cell=layers.WholeMapConvolution(
        kernel_init=nn.initializers.glorot_uniform(),
        dtype=self.dtype,
        parent=None,
      ),
      use_bias=False,
      squash_fn=ops.exponential_squash,
      name='primary_capsules',
    )

  def _class_capsules(self):
    return layers.RoutedCapsules(
      votes=layers.FullVotes(
        self.num_classes,
        (self.capsule_dim,),
        kernel_init=nn.initializers.he_normal(),
        parent=None,
      ),
      routing=layers.SelfAttentionRouting(parent=None),
      name='class_capsules',
    )
