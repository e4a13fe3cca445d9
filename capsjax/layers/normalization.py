"""Batch normalisation whose statistics do not depend on the devices."""

import math
from collections.abc import Callable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.ops.precision import at_least_float32


def batch_norm(
  inputs: Float[Array, '*batch channels'],
  *,
  name: str,
  train: bool,
  axis_name: str | None,
  momentum: float = 0.99,
  epsilon: float = 1e-3,
  use_scale_and_bias: bool = True,
) -> Float[Array, '*batch channels']:
  """Applies `nn.BatchNorm`, in float32 or wider, within a compact module.

  Args:
    inputs: normalised over all axes but the last one.
    name: the name of the layer in the module.
    train: whether to use the batch's statistics and to update the running ones,
      which are used otherwise.
    axis_name: the device axis over which the batch is shared, if any; the
      statistics are those of the whole batch.
    momentum: the weight of the old running statistics.
    epsilon: added to the variance.
    use_scale_and_bias: whether a learned scale and bias follow.

  Returns:
    Values of the inputs' dtype.

  Examples:
    >>> import jax
    >>> from capsjax import layers
    >>> from flax import linen as nn
    >>> class Normalized(nn.Module):
    ...   @nn.compact
    ...   def __call__(self, features, *, train):
    ...     return layers.batch_norm(
    ...       features, name='norm', train=train, axis_name=None
    ...     )
    >>> features = 5 + jax.random.normal(jax.random.key(0), (64, 3))
    >>> normalized, variables = Normalized().init_with_output(
    ...   jax.random.key(1), features, train=True
    ... )
    >>> print(f'{features.mean():.0f}, {abs(normalized.mean()):.0f}')
    5, 0
  """
  layer = nn.BatchNorm(
    use_running_average=not train,
    axis_name=axis_name,
    momentum=momentum,
    epsilon=epsilon,
    use_scale=use_scale_and_bias,
    use_bias=use_scale_and_bias,
    name=name,
  )
  wide = inputs.astype(at_least_float32(inputs.dtype))
  return layer(wide).astype(inputs.dtype)


class CapsuleBatchNorm(nn.Module):
  """Normalises poses, and the evidence before it becomes an activation.

  The statistics are those of a capsule type, over all examples, positions and
  components of the pose.

  Attributes:
    activation_fn: maps the normalised evidence to activations; None if the
      capsules have activations already, which are not normalised then.
    use_scale_and_bias: whether a learned scale and bias follow.
    momentum: the weight of the old running statistics.
    epsilon: added to the variance.

  Examples:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from capsjax import layers, ops
    >>> poses = 5 + 2 * jax.random.normal(jax.random.key(0), (64, 6, 8))
    >>> inputs = ops.Capsules(poses, jnp.zeros((64, 6)))
    >>> norm = layers.CapsuleBatchNorm()
    >>> capsules, variables = norm.init_with_output(
    ...   jax.random.key(1), inputs, train=True, axis_name=None
    ... )
    >>> print(f'{poses.mean():.0f}, {abs(capsules.poses.mean()):.0f}')
    5, 0
    >>> sorted(variables['batch_stats'])
    ['activations', 'poses']
  """

  activation_fn: Callable[[Array], Array] | None = nn.sigmoid
  use_scale_and_bias: bool = False
  momentum: float = 0.9
  epsilon: float = 1e-5

  @nn.compact
  def __call__(
    self, capsules: ops.Capsules, *, train: bool, axis_name: str | None
  ) -> ops.Capsules:
    """Normalises capsules, as `CapsuleNorm` describes."""

    def normalize(array, name):
      return batch_norm(
        array,
        name=name,
        train=train,
        axis_name=axis_name,
        momentum=self.momentum,
        epsilon=self.epsilon,
        use_scale_and_bias=self.use_scale_and_bias,
      )

    poses, activations = capsules
    rank = activations.ndim
    components = math.prod(poses.shape[rank:])
    flat = poses.reshape(*activations.shape, components)
    flat = jnp.swapaxes(normalize(jnp.swapaxes(flat, -1, -2), 'poses'), -1, -2)
    if self.activation_fn is not None:
      activations = self.activation_fn(normalize(activations, 'activations'))
    return ops.Capsules(flat.reshape(poses.shape), activations)
