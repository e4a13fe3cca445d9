"""The dtype in which sums are computed."""

from typing import Any

import jax.numpy as jnp


def at_least_float32(dtype: Any) -> Any:
  """Returns `dtype`, or float32 if it is a half-precision type.

  `jnp.promote_types` would raise under strict type promotion.
  """
  return dtype if jnp.finfo(dtype).bits >= 32 else jnp.float32
