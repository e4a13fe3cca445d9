"""Batch normalisation whose statistics do not depend on the devices."""

from flax import linen as nn
from jaxtyping import Array, Float

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
