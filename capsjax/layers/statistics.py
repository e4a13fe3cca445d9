"""Statistics that tell whether capsules are alive: lengths and couplings."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from flax import traverse_util
from jaxtyping import Array, Float

from capsjax import ops
from capsjax.layers.convolutional import ConvCapsules, GridCapsules
from capsjax.layers.dense import DenseCapsules
from capsjax.layers.pose_primary import PosePrimaryCapsules
from capsjax.layers.primary import PrimaryCapsules
from capsjax.layers.routed import RoutedCapsules

_MEASURED = (
  *(PrimaryCapsules, DenseCapsules, RoutedCapsules),
  *(PosePrimaryCapsules, ConvCapsules, GridCapsules),
)

# A length above the first counts as saturated, one below the second as dead.
_LONG, _SHORT = 0.99, 0.01


def capsule_statistics(
  images: Float[Array, 'batch ...'], variables: Any, *, model: nn.Module
) -> dict[str, Float[Array, '']]:
  """Measures every capsule layer of a model on some images.

  The length of a capsule should tell whether an entity is present (paper,
  section 2), so it should differ between images, and couplings should leave the
  uniform values that they start from. A layer whose lengths are all near 1 is
  saturated, one whose lengths are all near 0 is dead, and routing whose
  couplings stay uniform is idle: it computes the same as a single iteration.

  Args:
    images: the model's only argument.
    variables: the model's variables, as for `model.apply`.
    model: any Linen module that contains capsule layers of this package.

  Returns:
    Scalars by name, `LAYER/STATISTIC`, with the layer's path in the model:

    - `length`: the mean length of a capsule, or its activation if it has one;
    - `length_deviation`: the standard deviation of a capsule's length over the
      images, averaged over the capsules;
    - `share_long`, `share_short`: the shares of lengths above 0.99, below 0.01;
    - `largest_coupling_R`: the largest coupling of an input capsule in
      iteration R, averaged over all of them: from `1 / num_capsules` to 1;
    - `coupling_entropy_R`: the entropy of an input capsule's couplings in
      iteration R, 0 if it is coupled to one capsule and 1 if equally to all;
    - `logit_change_R`: how much iteration R - 1 changes a routing logit: the
      absolute difference from the mean change of its input capsule's logits.

  Examples:
    The couplings of a layer with 5 output capsules begin at 1/5:

    >>> import jax
    >>> from capsjax import DenseCapsules, capsule_statistics
    >>> capsules = jax.random.normal(jax.random.key(0), (8, 36, 4))
    >>> layer = DenseCapsules(num_capsules=5, capsule_dim=4)
    >>> variables = layer.init(jax.random.key(1), capsules)
    >>> found = capsule_statistics(capsules, variables, model=layer)
    >>> print(f'{found["/largest_coupling_1"]:.3f}')
    0.200
    >>> bool(found['/largest_coupling_3'] > 0.2)
    True
  """
  _, variables = model.apply(
    variables,
    images,
    capture_intermediates=lambda module, _: isinstance(module, _MEASURED),
    mutable=['intermediates'],
  )
  found = traverse_util.flatten_dict(
    variables.get('intermediates', {}), sep='/'
  )
  statistics: dict[str, Array] = {}
  for name, (value, *_) in found.items():
    layer, _, kind = name.rpartition('/')
    measure = {'__call__': _of_lengths, 'couplings': _of_couplings}.get(kind)
    if measure is not None:
      of_layer = measure(value)
      statistics |= {f'{layer}/{key}': of_layer[key] for key in of_layer}
  return statistics


def _of_lengths(capsules):
  """Measures capsules `[batch, num_capsules, dim]`, or with activations."""
  if isinstance(capsules, ops.Capsules):
    lengths = capsules.activations.astype(jnp.float32)
  else:
    lengths = ops.lengths(capsules.astype(jnp.float32))
  return {
    'length': jnp.mean(lengths),
    'length_deviation': jnp.mean(jnp.std(lengths, 0)),
    'share_long': jnp.mean(lengths > _LONG),
    'share_short': jnp.mean(lengths < _SHORT),
  }


def _of_couplings(couplings):
  """Measures couplings `[num_iterations, batch, in_caps, out_caps]`."""
  statistics = {}
  couplings = couplings.astype(jnp.float32)
  # The capsules' shares alone, without the leak of a leaky softmax.
  shares = couplings / jnp.sum(couplings, -1, keepdims=True)
  # Couplings that underflow count as the smallest number.
  logs = jnp.log(jnp.maximum(shares, jnp.finfo(shares.dtype).tiny))
  logits = logs - jnp.mean(logs, -1, keepdims=True)
  for index, (share, log) in enumerate(zip(shares, logs, strict=True)):
    iteration = index + 1
    largest = jnp.mean(jnp.max(couplings[index], -1))
    statistics[f'largest_coupling_{iteration}'] = largest
    if couplings.shape[-1] > 1:
      entropy = -jnp.mean(jnp.sum(share * log, -1))
      uniform = jnp.log(jnp.asarray(couplings.shape[-1], jnp.float32))
      statistics[f'coupling_entropy_{iteration}'] = entropy / uniform
    if index:
      change = jnp.mean(jnp.abs(logits[index] - logits[index - 1]))
      statistics[f'logit_change_{iteration}'] = change
  return statistics
