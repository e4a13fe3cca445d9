"""NNX layers; see the Linen ones in `capsjax.layers` for what each computes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from flax import nnx
from flax.typing import Initializer
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers import RoutingFn
from capsjax.layers.primary import flatten_grid, require_grid

_LECUN_NORMAL = nnx.initializers.lecun_normal()
_NORMAL = nnx.initializers.normal(0.1)


class Convolution(nnx.Module):
  """A convolution with a gradient that is fast on every backend.

  Args:
    in_features: the number of input channels.
    out_features: the number of output channels.
    kernel_size: the kernel's height and width.
    strides: the step between outputs.
    padding: 'VALID' or 'SAME'.
    use_bias: whether to add a bias to each output channel.
    kernel_init: initialises the kernel.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.
    rngs: the PRNG keys.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax.nnx import Convolution
    >>> from flax import nnx
    >>> layer = Convolution(3, 5, (9, 9), strides=(2, 2), rngs=nnx.Rngs(0))
    >>> layer(jnp.zeros((2, 28, 28, 3))).shape
    (2, 10, 10, 5)
  """

  def __init__(
    self,
    in_features: int,
    out_features: int,
    kernel_size: tuple[int, int],
    *,
    strides: tuple[int, int] = (1, 1),
    padding: str = 'VALID',
    use_bias: bool = True,
    kernel_init: Initializer = _LECUN_NORMAL,
    bias_init: Initializer = nnx.initializers.zeros,
    dtype: Any = None,
    param_dtype: Any = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    shape = *kernel_size, in_features, out_features
    self.kernel = nnx.Param(kernel_init(rngs.params(), shape, param_dtype))
    bias = bias_init(rngs.params(), (out_features,), param_dtype)
    self.bias = nnx.Param(bias) if use_bias else None
    self.kernel_size, self.strides, self.padding = kernel_size, strides, padding
    self.out_features, self.dtype = out_features, dtype

  def __call__(
    self, inputs: Float[Array, '*batch height width channels']
  ) -> Float[Array, '*batch out_height out_width features']:
    """Maps images to feature maps."""
    dtype = self.dtype or inputs.dtype
    outputs = ops.convolution(
      inputs.astype(dtype),
      self.kernel[...].astype(dtype),
      strides=self.strides,
      padding=self.padding,
    )
    if self.bias is None:
      return outputs
    bias = self.bias[...].astype(dtype)
    return outputs + jnp.broadcast_to(bias, outputs.shape)


class PrimaryCapsules(nnx.Module):
  """Turns feature maps into a grid of squashed capsules (paper, section 4).

  Args:
    in_features: the number of input channels.
    num_types: the number of capsule types.
    capsule_dim: the dimension of a capsule.
    kernel_size: the kernel size of the default cell, a convolution.
    strides: the strides of the default cell.
    padding: the padding of the default cell.
    cell: computes the capsules; any module that gives `num_types *
      capsule_dim` channels.
    scale: multiplies the cell's output before the bias is added.
    use_bias: whether to add a bias to each type and dimension.
    num_grid_axes: the number of axes between batch and channels.
    keep_grid: whether the output keeps these axes.
    squash_fn: the non-linearity.
    kernel_init: initialises the kernel of the default cell.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.
    rngs: the PRNG keys.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax.nnx import PrimaryCapsules
    >>> from flax import nnx
    >>> layer = PrimaryCapsules(4, num_types=2, rngs=nnx.Rngs(0))
    >>> layer(jnp.zeros((2, 20, 20, 4))).shape  # 6x6 positions, 2 types
    (2, 72, 8)
  """

  def __init__(
    self,
    in_features: int,
    num_types: int = 32,
    capsule_dim: int = 8,
    *,
    kernel_size: tuple[int, int] = (9, 9),
    strides: tuple[int, int] = (2, 2),
    padding: str = 'VALID',
    cell: Callable[..., Any] | None = None,
    scale: float = 1.0,
    use_bias: bool = True,
    num_grid_axes: int = 2,
    keep_grid: bool = False,
    squash_fn: ops.SquashFn = ops.squash,
    kernel_init: Initializer = _LECUN_NORMAL,
    bias_init: Initializer = nnx.initializers.zeros,
    dtype: Any = None,
    param_dtype: Any = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    if cell is None:
      cell = Convolution(
        in_features,
        num_types * capsule_dim,
        kernel_size,
        strides=strides,
        padding=padding,
        use_bias=False,
        kernel_init=kernel_init,
        dtype=dtype,
        param_dtype=param_dtype,
        rngs=rngs,
      )
    require_grid(cell, num_grid_axes)
    self.cell = cell
    bias = bias_init(rngs.params(), (num_types, capsule_dim), param_dtype)
    self.bias = nnx.Param(bias) if use_bias else None
    self.num_types, self.capsule_dim = num_types, capsule_dim
    self.scale, self.squash_fn = scale, squash_fn
    self.num_grid_axes, self.keep_grid = num_grid_axes, keep_grid

  def __call__(
    self, inputs: Float[Array, '*batch_and_grid channels']
  ) -> Float[Array, '... capsule_dim']:
    """Maps feature maps to capsules, ordered by position and then by type."""
    features = self.cell(inputs)
    bias = None if self.bias is None else self.bias[...].astype(features.dtype)
    capsules = ops.primary_capsules(
      features,
      num_types=self.num_types,
      capsule_dim=self.capsule_dim,
      bias=bias,
      scale=self.scale,
      squash_fn=self.squash_fn,
    )
    if self.keep_grid:
      return capsules
    return flatten_grid(capsules, self.num_grid_axes)


class DenseCapsules(nnx.Module):
  """A fully connected capsule layer, the paper's DigitCaps (section 4).

  Args:
    in_capsules: the number of input capsules.
    in_dim: the dimension of an input capsule.
    num_capsules: the number of output capsules.
    capsule_dim: the dimension of an output capsule.
    routing_fn: routes inputs to output capsules.
    use_bias: whether to add a bias before each squash.
    learn_log_priors: whether to learn the initial routing logits.
    kernel_init: initialises the transformation matrices.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.
    rngs: the PRNG keys.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax.nnx import DenseCapsules
    >>> from flax import nnx
    >>> layer = DenseCapsules(72, 8, 10, 16, rngs=nnx.Rngs(0))
    >>> capsules, couplings = layer(
    ...   jnp.zeros((2, 72, 8)), return_couplings=True
    ... )
    >>> capsules.shape, couplings.shape
    ((2, 10, 16), (3, 2, 72, 10))
  """

  def __init__(
    self,
    in_capsules: int,
    in_dim: int,
    num_capsules: int,
    capsule_dim: int,
    *,
    routing_fn: RoutingFn = ops.fused_dynamic_routing,
    use_bias: bool = False,
    learn_log_priors: bool = False,
    kernel_init: Initializer = _NORMAL,
    bias_init: Initializer = nnx.initializers.zeros,
    dtype: Any = None,
    param_dtype: Any = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    def parameter(init, *shape):
      return nnx.Param(init(rngs.params(), shape, param_dtype))

    kernel = in_capsules, num_capsules, in_dim, capsule_dim
    self.kernel = parameter(kernel_init, *kernel)
    bias = parameter(bias_init, num_capsules, capsule_dim)
    self.bias = bias if use_bias else None
    zeros = parameter(nnx.initializers.zeros, in_capsules, num_capsules)
    self.log_priors = zeros if learn_log_priors else None
    self.routing_fn, self.dtype = routing_fn, dtype

  def __call__(
    self,
    inputs: Float[Array, '*batch in_caps in_dim'],
    *,
    return_couplings: bool = False,
  ) -> Any:
    """Maps capsules to capsules.

    Args:
      inputs: the capsules of the layer below.
      return_couplings: also returns the couplings of every iteration.

    Returns:
      Capsules `[*batch, num_capsules, capsule_dim]`, or a pair of them and the
      couplings `[num_iterations, *batch, in_caps, num_capsules]`.
    """
    dtype = self.dtype or inputs.dtype

    def cast(parameter):
      return None if parameter is None else parameter[...].astype(dtype)

    return self.routing_fn(
      inputs.astype(dtype),
      cast(self.kernel),
      bias=cast(self.bias),
      log_priors=cast(self.log_priors),
      return_couplings=return_couplings,
    )


class Decoder(nnx.Module):
  """Fully connected layers from masked capsules to pixels (section 4.1).

  Args:
    num_capsules: the number of capsules.
    capsule_dim: the dimension of a capsule.
    image_shape: height, width and channels of the reconstruction.
    hidden_sizes: the sizes of the hidden layers, each followed by a ReLU.
    kernel_init: initialises all kernels.
    bias_init: initialises all biases.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.
    rngs: the PRNG keys.

  Examples:
    >>> import jax.numpy as jnp
    >>> from capsjax.nnx import Decoder
    >>> from flax import nnx
    >>> decoder = Decoder(10, 16, (28, 28, 1), (32,), rngs=nnx.Rngs(0))
    >>> decoder(jnp.zeros((2, 10, 16))).shape
    (2, 28, 28, 1)
  """

  def __init__(
    self,
    num_capsules: int,
    capsule_dim: int,
    image_shape: tuple[int, ...],
    hidden_sizes: Sequence[int] = (512, 1024),
    *,
    kernel_init: Initializer = _LECUN_NORMAL,
    bias_init: Initializer = nnx.initializers.zeros,
    dtype: Any = None,
    param_dtype: Any = jnp.float32,
    rngs: nnx.Rngs,
  ) -> None:
    sizes = num_capsules * capsule_dim, *hidden_sizes, math.prod(image_shape)
    self.num_layers, self.image_shape = len(sizes) - 1, tuple(image_shape)
    for index in range(self.num_layers):
      layer = nnx.Linear(
        *sizes[index : index + 2],
        kernel_init=kernel_init,
        bias_init=bias_init,
        dtype=dtype,
        param_dtype=param_dtype,
        rngs=rngs,
      )
      setattr(self, f'Dense_{index}', layer)  # the name in Linen

  def __call__(
    self, capsules: Float[Array, '*batch num_capsules dim']
  ) -> Float[Array, '*batch height width channels']:
    """Decodes masked capsules, zero except for the chosen ones, to images."""
    *batch, num_capsules, dim = capsules.shape
    hidden = capsules.reshape(*batch, num_capsules * dim)
    layers = [getattr(self, f'Dense_{i}') for i in range(self.num_layers)]
    for layer in layers[:-1]:
      hidden = nnx.relu(layer(hidden))
    return nnx.sigmoid(layers[-1](hidden)).reshape(*batch, *self.image_shape)
