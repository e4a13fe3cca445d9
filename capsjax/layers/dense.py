"""A fully connected capsule layer, routed by agreement."""

from typing import Any, Protocol, runtime_checkable

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from capsjax import ops


@runtime_checkable
class RoutingFn(Protocol):
  """A function that routes capsules to the layer above.

  Use a `functools.partial` of `ops.fused_dynamic_routing`, or any function that
  can be called the same way.

  Examples:
    The mean of the votes, without any agreement:

    >>> import jax.numpy as jnp
    >>> from capsjax import RoutingFn, compute_votes, squash
    >>> def average(inputs, kernel, *, bias, log_priors, return_couplings):
    ...   votes = compute_votes(inputs, kernel)
    ...   capsules = squash(votes.mean(-3))
    ...   if not return_couplings:
    ...     return capsules
    ...   share = jnp.full((1, *votes.shape[:-1]), 1 / votes.shape[-2])
    ...   return capsules, share
    >>> isinstance(average, RoutingFn)
    True

    `DenseCapsules(10, 16, routing_fn=average)` then routes with it.
  """

  def __call__(
    self,
    inputs: Float[Array, '*batch in_caps in_dim'],
    kernel: Float[Array, 'in_caps out_caps in_dim out_dim'],
    *,
    bias: Float[Array, 'out_caps out_dim'] | None,
    log_priors: Float[Array, 'in_caps out_caps'] | None,
    return_couplings: bool,
  ) -> Any:
    """Computes the capsules of the layer above.

    Args:
      inputs: the capsules.
      kernel: the transformation matrices.
      bias: added before each squash, unless None.
      log_priors: the initial routing logits; 0 if None.
      return_couplings: whether to return the couplings too.

    Returns:
      Capsules `[*batch, out_caps, out_dim]`, or a pair of the capsules and the
      couplings `[num_iterations, *batch, in_caps, out_caps]`.
    """


class DenseCapsules(nn.Module):
  """A fully connected capsule layer, the paper's DigitCaps (section 4).

  To read the couplings of every iteration, apply the model with
  `mutable=['intermediates']` and look for `couplings`.

  Attributes:
    num_capsules: the number of output capsules.
    capsule_dim: the dimension of an output capsule.
    routing_fn: routes inputs to output capsules; by default three iterations of
      dynamic routing.
    use_bias: whether to add a bias before each squash, as in the official code;
      the paper has none.
    learn_log_priors: whether to learn the initial routing logits; otherwise
      they are 0 (paper, section 2).
    kernel_init: initialises the transformation matrices, of shape `[in_caps,
      num_capsules, in_dim, capsule_dim]`.
    bias_init: initialises the bias.
    dtype: the dtype of the computation; the inputs' dtype if None.
    param_dtype: the dtype of the parameters.

  Examples:
    >>> import jax
    >>> from capsjax import DenseCapsules
    >>> capsules = jax.random.normal(jax.random.key(0), (2, 36, 8))
    >>> layer = DenseCapsules(num_capsules=10, capsule_dim=16)
    >>> variables = layer.init(jax.random.key(1), capsules)
    >>> variables['params']['kernel'].shape
    (36, 10, 8, 16)
    >>> outputs, read = layer.apply(
    ...   variables, capsules, mutable=['intermediates']
    ... )
    >>> outputs.shape
    (2, 10, 16)
    >>> (couplings,) = read['intermediates']['couplings']
    >>> couplings.shape  # [iteration, batch, in, out]
    (3, 2, 36, 10)
  """

  num_capsules: int
  capsule_dim: int
  routing_fn: RoutingFn = ops.fused_dynamic_routing
  use_bias: bool = False
  learn_log_priors: bool = False
  kernel_init: nn.initializers.Initializer = nn.initializers.normal(0.1)
  bias_init: nn.initializers.Initializer = nn.initializers.zeros
  dtype: Any = None
  param_dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, inputs: Float[Array, '*batch in_caps in_dim']
  ) -> Float[Array, '*batch num_capsules capsule_dim']:
    """Maps capsules to capsules."""
    dtype = self.dtype or inputs.dtype
    in_caps, in_dim = inputs.shape[-2:]

    def parameter(name, init, *shape):
      return self.param(name, init, shape, self.param_dtype).astype(dtype)

    kernel = parameter(
      'kernel',
      self.kernel_init,
      in_caps,
      self.num_capsules,
      in_dim,
      self.capsule_dim,
    )
    bias, log_priors = None, None
    if self.use_bias:
      bias = parameter(
        'bias', self.bias_init, self.num_capsules, self.capsule_dim
      )
    if self.learn_log_priors:
      log_priors = parameter(
        'log_priors', nn.initializers.zeros, in_caps, self.num_capsules
      )
    is_read = self.is_mutable_collection('intermediates')
    result = self.routing_fn(
      inputs.astype(dtype),
      kernel,
      bias=bias,
      log_priors=log_priors,
      return_couplings=is_read,
    )
    if not is_read:
      return result
    capsules, couplings = result
    self.sow('intermediates', 'couplings', couplings)
    return capsules
