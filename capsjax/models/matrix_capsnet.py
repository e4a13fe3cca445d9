"""Matrix capsules: convolutional capsules with 4x4 poses and activations."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import layers
from capsjax.models.outputs import ModelOutput
from capsjax.ops.arguments import require_images, require_same_length


class MatrixCapsNet(nn.Module):
  """A convolution, primary capsules, convolutional capsules, class capsules.

  The defaults are the network of "Matrix Capsules with EM Routing" for
  smallNORB: 316,650 parameters with images of 32x32x2 and five classes. The
  parts make other networks of it, such as that of "Capsule Routing via
  Variational Bayes".

  Attributes:
    num_classes: the number of class capsules.
    conv_features: channels of the convolution, A in the paper.
    conv_kernel_size: its kernel size.
    conv_strides: its strides.
    num_types: the number of primary capsule types, B.
    capsule_types: the number of types of each convolutional capsule layer, C
      and D.
    capsule_kernel_sizes: the side of the square receptive field of each.
    capsule_strides: the stride of each.
    pose_side: the side of a pose matrix.
    routing: makes the routing of each layer, such as `layers.EMRouting`, or a
      `functools.partial` of it with options.
    competes_everywhere: whether all parents that see a child compete for it, at
      all their positions.
    coordinate_scale: the position of a child, from 0 to 1, times this is added
      to its votes for the class capsules; 0 for nothing.
    vote_init: initialises the transformation matrices.
    primary_activation_fn: maps a convolution to the activations of the primary
      capsules.
    primary_norm: makes the normalisation of the primary capsules; None for
      nothing.
    norm: makes the normalisation of the capsules above; None for nothing.
    use_conv_norm: whether batch normalisation, in place of a bias, follows the
      convolution.
    dtype: the dtype of the computation; parameters, statistics and scores are
      always float32, and routing computes in float32.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax.models import MatrixCapsNet
    >>> model = MatrixCapsNet(num_classes=5)
    >>> key, images = jax.random.key(0), jnp.zeros((2, 32, 32, 2))
    >>> variables = jax.eval_shape(model.init, key, images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
    316650
  """

  num_classes: int = 10
  conv_features: int = 32
  conv_kernel_size: tuple[int, int] = (5, 5)
  conv_strides: tuple[int, int] = (2, 2)
  num_types: int = 32
  capsule_types: Sequence[int] = (32, 32)
  capsule_kernel_sizes: Sequence[int] = (3, 3)
  capsule_strides: Sequence[int] = (2, 1)
  pose_side: int = 4
  routing: Callable[..., layers.Routing] = layers.EMRouting
  competes_everywhere: bool = True
  coordinate_scale: float = 1.0
  vote_init: nn.initializers.Initializer = nn.initializers.normal(0.5)
  primary_activation_fn: Callable[[Array], Array] = nn.sigmoid
  primary_norm: Callable[..., layers.CapsuleNorm] | None = None
  norm: Callable[..., layers.CapsuleNorm] | None = None
  use_conv_norm: bool = False
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
    """Classifies images.

    Args:
      images: in [0, 1], or standardised.
      targets: ignored; every model takes it.
      train: whether to normalise by the statistics of the batch, and to update
        the running ones: apply with `mutable=['batch_stats']`.
      axis_name: the device axis over which the batch is shared, if any.

    Returns:
      Scores (the activations of the class capsules), and their poses as
      vectors.
    """
    del targets
    require_images(images)
    require_same_length(
      capsule_types=self.capsule_types,
      capsule_kernel_sizes=self.capsule_kernel_sizes,
      capsule_strides=self.capsule_strides,
    )
    training: dict[str, Any] = {'train': train, 'axis_name': axis_name}
    capsules = self._primary_capsules()(
      self._features(images, **training), **training
    )
    sizes = zip(
      self.capsule_types,
      self.capsule_kernel_sizes,
      self.capsule_strides,
      strict=True,
    )
    for index, (num_types, size, stride) in enumerate(sizes):
      layer = layers.ConvCapsules(
        **self._parts(num_types),
        kernel_size=(size, size),
        strides=(stride, stride),
        competes_everywhere=self.competes_everywhere,
        name=f'capsules_{index}',
      )
      capsules = layer(capsules, **training)
    poses, activations = layers.GridCapsules(
      **self._parts(self.num_classes),
      coordinates=(self.pose_side - 1, 2 * self.pose_side - 1),
      coordinate_scale=self.coordinate_scale,
      name='class_capsules',
    )(capsules, **training)
    vectors = poses.reshape(*activations.shape, self.pose_side**2)
    return ModelOutput(
      activations.astype(jnp.float32), vectors.astype(jnp.float32)
    )

  def _features(self, images, **training):
    convolution = layers.Convolution(
      self.conv_features,
      self.conv_kernel_size,
      self.conv_strides,
      use_bias=not self.use_conv_norm,
      kernel_init=nn.initializers.he_normal(),
      dtype=self.dtype,
      name='conv',
    )
    features = convolution(images)
    if self.use_conv_norm:
      features = layers.batch_norm(
        features, name='norm', momentum=0.9, epsilon=1e-5, **training
      )
    return nn.relu(features)

  def _primary_capsules(self):
    return layers.PosePrimaryCapsules(
      self.num_types,
      (self.pose_side, self.pose_side),
      activation_fn=self.primary_activation_fn,
      norm=self._made(self.primary_norm),
      dtype=self.dtype,
      name='primary_capsules',
    )

  def _parts(self, num_capsules):
    """Makes the parts of a capsule layer, which do not belong to the model."""
    votes = layers.MatrixVotes(
      num_capsules, kernel_init=self.vote_init, parent=None
    )
    return {
      'votes': votes,
      'routing': self.routing(parent=None),
      'norm': self._made(self.norm),
    }

  def _made(self, norm):
    return None if norm is None else norm(parent=None)
