"""Shared by the routing tests: routing functions, options, small arrays."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from capsjax import ops

# All different, so that swapped axes are noticed.
IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM = 5, 3, 2, 4


def plain(inputs, kernel, **options):
  return ops.dynamic_routing(ops.compute_votes(inputs, kernel), **options)


# Every routing function of inputs and kernel; all of them get every test.
# The fused one forms the votes of few examples, unless told a size of blocks.
ENTRIES = {
  'plain': plain,
  'fused': ops.fused_dynamic_routing,
  'blocks': functools.partial(ops.fused_dynamic_routing, block_bytes=2**20),
}

BIAS = np.random.default_rng(10).normal(size=(OUT_CAPS, OUT_DIM))
LOG_PRIORS = np.random.default_rng(11).normal(size=(IN_CAPS, OUT_CAPS))


def halve(vectors):
  """A stand-in for squash that works with NumPy and JAX."""
  return 0.5 * vectors


OPTIONS = {
  'paper': {},
  'one_iteration': {'num_iterations': 1},
  'five_iterations': {'num_iterations': 5},
  'stop_gradient': {'stop_gradient': True},
  'leaky': {'leaky': True},
  'bias': {'bias': BIAS},
  'log_priors': {'log_priors': LOG_PRIORS},
  'squash_fn': {'squash_fn': halve},
  'everything': {
    'num_iterations': 4,
    'stop_gradient': True,
    'leaky': True,
    'bias': BIAS,
    'log_priors': LOG_PRIORS,
  },
  'everything_one_iteration': {
    'num_iterations': 1,
    'leaky': True,
    'bias': BIAS,
    'log_priors': LOG_PRIORS,
  },
}


def example(*batch: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
  """Returns inputs and kernel whose couplings end up far from uniform."""
  rng = np.random.default_rng(seed)
  inputs = rng.normal(size=(*batch, IN_CAPS, IN_DIM))
  kernel = rng.normal(size=(IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM))
  return inputs, kernel


def as_jax(value, dtype=jnp.float32):
  """Converts NumPy arrays to JAX in a dtype; leaves anything else as it is."""
  return jnp.asarray(value, dtype) if isinstance(value, np.ndarray) else value


def options_as_jax(options, dtype=jnp.float32):
  return {name: as_jax(value, dtype) for name, value in options.items()}


@functools.cache
def compiled(entry, static_items):
  """Compiles an entry so that it also returns the couplings.

  Args:
    entry: a name in `ENTRIES`.
    static_items: names and values of the options that are not arrays.

  Returns:
    A function of inputs, kernel and the options that are arrays.
  """
  static = dict(static_items)

  def route(inputs, kernel, arrays):
    return ENTRIES[entry](
      inputs, kernel, return_couplings=True, **static, **arrays
    )

  return jax.jit(route)


def route(entry, inputs, kernel, *, dtype=jnp.float32, **options):
  """Runs one entry in a dtype; returns capsules and couplings as float64."""
  arrays = {n: v for n, v in options.items() if isinstance(v, np.ndarray)}
  static = {n: v for n, v in options.items() if n not in arrays}
  result = compiled(entry, tuple(sorted(static.items())))(
    as_jax(inputs, dtype), as_jax(kernel, dtype), options_as_jax(arrays, dtype)
  )
  assert all(array.dtype == dtype for array in result)
  return tuple(np.asarray(array).astype(np.float64) for array in result)
