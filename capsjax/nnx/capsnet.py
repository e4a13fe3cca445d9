"""The paper's network in NNX."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from capsjax import models, ops
from capsjax.models import ModelOutput
from capsjax.models.decoding import capsules_to_decode
from capsjax.nnx.layers import (
  Convolution,
  Decoder,
  DenseCapsules,
  PrimaryCapsules,
)
from capsjax.ops.arguments import require_images


class CapsNet(nnx.Module):
  """Convolution, primary capsules, routed class capsules, decoder.

  Args:
    image_shape: height, width and channels of the images.
    rngs: the PRNG keys.
    primary_cell: replaces the primary capsules' convolution.
    **fields: the others of the Linen `capsjax.CapsNet`, with its defaults.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax.nnx import CapsNet
    >>> from flax import nnx
    >>> model = CapsNet(
    ...   (28, 28, 1), rngs=nnx.Rngs(0), conv_features=8, num_types=2
    ... )
    >>> output = model(jnp.zeros((3, 28, 28, 1)))
    >>> output.scores.shape, output.reconstructions.shape
    ((3, 10), (3, 28, 28, 1))
  """

  def __init__(
    self,
    image_shape: tuple[int, int, int],
    *,
    rngs: nnx.Rngs,
    primary_cell: Callable[..., Any] | None = None,
    **fields: Any,
  ) -> None:
    net = models.CapsNet(primary_cell=primary_cell, **fields)
    initial = net.initialization
    conv_strides, primary_strides = net.strides(image_shape)
    shared = {'bias_init': initial.bias, 'dtype': net.dtype, 'rngs': rngs}
    self.conv = Convolution(
      image_shape[-1],
      net.conv_features,
      net.conv_kernel_size,
      strides=conv_strides,
      padding=net.padding,
      kernel_init=initial.conv,
      **shared,
    )
    self.primary_capsules = PrimaryCapsules(
      net.conv_features,
      net.num_types,
      net.primary_dim,
      kernel_size=net.primary_kernel_size,
      strides=primary_strides,
      padding=net.padding,
      cell=primary_cell,
      scale=net.primary_scale,
      squash_fn=net.squash_fn,
      kernel_init=initial.primary(net.primary_scale),
      **shared,
    )
    images = jax.ShapeDtypeStruct(image_shape, jnp.float32)
    in_capsules, in_dim = jax.eval_shape(self._primary, images).shape
    routed = {
      f'capsules_{index}': sizes
      for index, sizes in enumerate(net.hidden_capsules)
    } | {'class_capsules': (net.num_classes, net.capsule_dim)}
    for name, (num_capsules, dim) in routed.items():
      layer = DenseCapsules(
        in_capsules,
        in_dim,
        num_capsules,
        dim,
        routing_fn=net.routing_fn,
        use_bias=net.use_capsule_bias,
        learn_log_priors=net.learn_log_priors,
        kernel_init=net.matrix_init(),
        **shared,
      )
      setattr(self, name, layer)
      in_capsules, in_dim = num_capsules, dim
    decoder = None
    if net.has_decoder:
      decoder = Decoder(
        net.num_classes,
        net.capsule_dim,
        image_shape,
        net.decoder_sizes,
        kernel_init=initial.decoder,
        **shared,
      )
    self.decoder = decoder
    self.routed_names, self.num_labels = tuple(routed), net.num_labels

  def __call__(
    self,
    images: Float[Array, '*batch height width channels'],
    targets: Float[Array, '... num_classes'] | None = None,
  ) -> ModelOutput:
    """Classifies images and reconstructs them.

    Args:
      images: in [0, 1].
      targets: 1 for each class capsule to decode, as for the Linen network.
    """
    require_images(images)
    capsules = self._primary(images)
    for name in self.routed_names:
      capsules = getattr(self, name)(capsules)
    capsules = capsules.astype(jnp.float32)
    scores = ops.lengths(capsules)
    if self.decoder is None:
      return ModelOutput(scores, capsules)
    chosen = capsules_to_decode(
      capsules, scores, targets, num_labels=self.num_labels
    )
    reconstructions = self.decoder(chosen).astype(jnp.float32)
    return ModelOutput(scores, capsules, reconstructions)

  def _primary(self, images):
    return self.primary_capsules(nnx.relu(self.conv(images)))
