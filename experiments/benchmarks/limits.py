"""Measures the machine's peak rates of arithmetic and memory."""

import jax
import jax.numpy as jnp

from experiments.benchmarks.timing import spread, take_turns


def measure(*, repeats: int, size: int = 2048) -> dict[str, dict[str, float]]:
  """Measures the rates of square matrix products and of a copy.

  Args:
    repeats: how often each is timed.
    size: the number of rows of the matrices; the copied array has eight times
      as many elements as one matrix.

  Returns:
    'float32' and 'bfloat16' in GFLOP/s, 'copy' in GB/s read and written.
  """
  product = jax.jit(jnp.matmul)
  # Not a plain copy, which XLA would optimise away.
  copy = jax.jit(lambda x: x + 1)
  wide = jnp.ones((size, size), jnp.float32)
  half = wide.astype(jnp.bfloat16)
  large = jnp.ones((8, size, size), jnp.float32)
  seconds = take_turns(
    {
      'float32': lambda: product(wide, wide),
      'bfloat16': lambda: product(half, half),
      'copy': lambda: copy(large),
    },
    repeats=repeats,
  )
  work = {
    'float32': 2e-9 * size**3,
    'bfloat16': 2e-9 * size**3,
    'copy': 2e-9 * large.nbytes,
  }
  return {
    name: spread([work[name] / s for s in times])
    for name, times in seconds.items()
  }
