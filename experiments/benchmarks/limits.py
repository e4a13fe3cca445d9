"""What the machine can do at most: arithmetic and memory, measured."""

import jax
import jax.numpy as jnp

from experiments.benchmarks.timing import spread, take_turns


def measure(*, repeats: int, size: int = 2048) -> dict[str, dict[str, float]]:
  """The rates of square matrix products and of a copy.

  Args:
    repeats: how often each is timed.
    size: rows of the matrices; the copied array has eight times their numbers.

  Returns:
    'float32' and 'bfloat16' in GFLOP/s, 'copy' in GB/s read and written.
  """
  product = jax.jit(jnp.matmul)
  # Not a plain copy, which XLA would leave out.
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
