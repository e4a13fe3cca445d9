"""The paper's network (section 4), with every size a field."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import layers, ops
from capsjax.models import initializers
from capsjax.models.decoding import capsules_to_decode
from capsjax.models.outputs import ModelOutput
from capsjax.models.strides import bounded_strides
from capsjax.ops.arguments import require_images

# Fields of the convolution that `primary_cell` replaces.
_OF_PRIMARY_CONVOLUTION = (
  'primary_kernel_size',
  'primary_strides',
  'max_primary_capsules',
)


class CapsNet(nn.Module):
  """Convolution, primary capsules, routed class capsules, decoder.

  The defaults are the paper's network for MNIST. The number of primary capsules
  and the size of the reconstruction follow from the images. With 28x28x1 images
  it has 8,215,568 parameters, 6,804,224 of them in the encoder.

  Attributes:
    num_classes: the number of class capsules.
    capsule_dim: the dimension of a class capsule.
    conv_features: channels of the first convolution.
    conv_kernel_size: its kernel size.
    num_types: the number of primary capsule types.
    primary_dim: the dimension of a primary capsule.
    primary_kernel_size: the kernel size of the primary capsules' convolution.
    primary_strides: its strides.
    padding: 'VALID' or 'SAME', for both convolutions.
    max_primary_capsules: the largest number of primary capsules, which
      determines memory and time; 0 for no limit. The strides of the two
      convolutions are doubled in turn, starting with the first, until the
      number is within the limit. 28x28 images have 1,152 primary capsules;
      128x128 images would have 100,352.
    hidden_capsules: `(num_capsules, capsule_dim)` of each capsule layer between
      the primary and the class capsules; none in the paper.
    routing_fn: routes every routed layer; by default three iterations of
      dynamic routing. Set its options with `functools.partial`.
    primary_scale: multiplies the primary convolution before its bias; the
      official code uses `1 / num_types`. The initial values of `FAN_IN`
      compensate for it, so its only effect is to make Adam's steps there
      smaller. With 1, the first steps can saturate the primary capsules: MNIST
      is still learned, but bright images, pairs of objects or many routing
      iterations can delay or stall learning.
    matrix_scale: multiplies the initial transformation matrices of the routed
      layers.
    use_capsule_bias: whether routed layers have a bias (official code).
    learn_log_priors: whether the initial routing logits are learned.
    has_decoder: whether images are reconstructed.
    decoder_sizes: the decoder's hidden layers.
    num_labels: the number of objects in an image; this many of the longest
      capsules are decoded when no targets are given.
    initialization: `initializers.FAN_IN`, `OFFICIAL`, or other `Initializers`.
    primary_cell: replaces the primary capsules' convolution and brings its own
      initial values.
    squash_fn: the squash of the primary capsules; for routed capsules it is an
      option of `routing_fn`.
    dtype: the dtype of the computation; parameters, scores and reconstructions
      are always float32.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import CapsNet
    >>> model = CapsNet()
    >>> images = jnp.zeros((2, 28, 28, 1))
    >>> variables = jax.eval_shape(model.init, jax.random.key(0), images)
    >>> sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
    8215568
    >>> jax.eval_shape(model.apply, variables, images).scores.shape
    (2, 10)
  """

  num_classes: int = 10
  capsule_dim: int = 16
  conv_features: int = 256
  conv_kernel_size: tuple[int, int] = (9, 9)
  num_types: int = 32
  primary_dim: int = 8
  primary_kernel_size: tuple[int, int] = (9, 9)
  primary_strides: tuple[int, int] = (2, 2)
  padding: str = 'VALID'
  max_primary_capsules: int = 0
  hidden_capsules: Sequence[tuple[int, int]] = ()
  routing_fn: layers.RoutingFn = ops.fused_dynamic_routing
  primary_scale: float = 1.0
  matrix_scale: float = 1.0
  use_capsule_bias: bool = False
  learn_log_priors: bool = False
  has_decoder: bool = True
  decoder_sizes: Sequence[int] = (512, 1024)
  num_labels: int = 1
  initialization: initializers.Initializers = initializers.FAN_IN
  primary_cell: Callable[..., Any] | None = None
  squash_fn: ops.SquashFn = ops.squash
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self,
    images: Float[Array, '*batch height width channels'],
    targets: Float[Array, '... num_classes'] | None = None,
    *,
    train: bool = False,
  ) -> ModelOutput:
    """Classifies images and reconstructs them.

    Args:
      images: in [0, 1].
      targets: 1 for each class capsule to decode, as in training. Without a
        `num_objects` axis, the capsules of an image are decoded together; with
        it, each object is decoded separately. If None, the `num_labels` longest
        capsules are decoded, separately and in class order if there are
        several.
      train: ignored; every model takes it.

    Returns:
      Scores (the lengths of the class capsules), class capsules and, with a
      decoder, reconstructions: one per image, or one per object.
    """
    del train
    require_images(images)
    conv_strides, primary_strides = self.strides(images.shape[-3:])
    features = nn.relu(self._convolution('conv', conv_strides)(images))
    primary_capsules = self._primary_capsules(
      'primary_capsules', primary_strides
    )
    capsules = primary_capsules(features)
    for index, (num_capsules, dim) in enumerate(self.hidden_capsules):
      layer = self._dense_capsules(num_capsules, dim, f'capsules_{index}')
      capsules = layer(capsules)
    capsules = self._dense_capsules(
      self.num_classes, self.capsule_dim, 'class_capsules'
    )(capsules)
    capsules = capsules.astype(jnp.float32)
    scores = ops.lengths(capsules)
    if not self.has_decoder:
      return ModelOutput(scores, capsules)
    chosen = capsules_to_decode(
      capsules, scores, targets, num_labels=self.num_labels
    )
    reconstructions = self.create_decoder(images.shape[-3:])(chosen)
    return ModelOutput(scores, capsules, reconstructions.astype(jnp.float32))

  @nn.nowrap  # so that it can be called without the parameters
  def create_decoder(self, image_shape: tuple[int, ...]) -> layers.Decoder:
    """Returns the network's decoder; its parameters are `params['decoder']`."""
    return layers.Decoder(
      tuple(image_shape),
      self.decoder_sizes,
      kernel_init=self.initialization.decoder,
      bias_init=self.initialization.bias,
      dtype=self.dtype,
      name='decoder',
    )

  @nn.nowrap
  def strides(
    self, image_shape: tuple[int, ...]
  ) -> tuple[tuple[int, int], tuple[int, int]]:
    """Returns the strides of the first and the primary convolution.

    Args:
      image_shape: height, width and channels.

    Returns:
      (1, 1) and `primary_strides`, multiplied by powers of 2 if there would be
      more than `max_primary_capsules` otherwise.

    Raises:
      ValueError: if `max_primary_capsules` is less than one capsule per type.
    """
    if self.primary_cell is not None:
      self._require_no_convolution()
    return bounded_strides(
      image_shape,
      kernel_sizes=(self.conv_kernel_size, self.primary_kernel_size),
      primary_strides=self.primary_strides,
      padding=self.padding,
      num_types=self.num_types,
      most=self.max_primary_capsules,
    )

  @nn.nowrap
  def matrix_init(self) -> initializers.Initializer:
    """Returns the initialiser of the transformation matrices."""
    initial, scale = self.initialization.capsules, self.matrix_scale
    if scale == 1:
      return initial
    return lambda *args: scale * initial(*args)

  def _require_no_convolution(self):
    """Refuses fields that a cell in place of the convolution would ignore."""
    for field in dataclasses.fields(CapsNet):
      is_of_convolution = field.name in _OF_PRIMARY_CONVOLUTION
      if is_of_convolution and getattr(self, field.name) != field.default:
        raise ValueError(
          f'{field.name}={getattr(self, field.name)} has no effect beside '
          'primary_cell, which has a size and strides of its own; leave it out'
        )

  def _convolution(self, name, strides):
    return layers.Convolution(
      self.conv_features,
      self.conv_kernel_size,
      strides,
      self.padding,
      kernel_init=self.initialization.conv,
      bias_init=self.initialization.bias,
      dtype=self.dtype,
      name=name,
    )

  def _primary_capsules(self, name, strides):
    return layers.PrimaryCapsules(
      self.num_types,
      self.primary_dim,
      self.primary_kernel_size,
      strides,
      self.padding,
      cell=self.primary_cell,
      scale=self.primary_scale,
      squash_fn=self.squash_fn,
      kernel_init=self.initialization.primary(self.primary_scale),
      bias_init=self.initialization.bias,
      dtype=self.dtype,
      name=name,
    )

  def _dense_capsules(self, num_capsules, capsule_dim, name):
    return layers.DenseCapsules(
      num_capsules,
      capsule_dim,
      routing_fn=self.routing_fn,
      use_bias=self.use_capsule_bias,
      learn_log_priors=self.learn_log_priors,
      kernel_init=self.matrix_init(),
      bias_init=self.initialization.bias,
      dtype=self.dtype,
      name=name,
    )
