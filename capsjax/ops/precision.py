"""The type that sums are computed in."""

from typing import Any

import jax.numpy as jnp


def at_least_float32(dtype: Any) -> Any:
  """The type itself, or float32 for the half-precision ones.

  Not by `jnp.promote_types`, which raises where types promote strictly.
  """
  return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
