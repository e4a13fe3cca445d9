"""Gradients of custom rules inside `jax.shard_map`."""

from typing import Any

import jax
import jax.numpy as jnp


def sum_like(gradients: Any, primals: Any) -> Any:
  """Sums gradients over the mesh axes along which only they vary.

  An array that is the same on all devices of a `shard_map` has as its gradient
  the sum of what each device computes. JAX sums in its own rules; a custom
  backward rule must do so itself. Outside `shard_map` nothing is summed.

  Args:
    gradients: a pytree of what a device computes.
    primals: the arrays that the gradients are of, in the same pytree.
  """

  def sum_one(gradient, primal):
    # A sum with zeros that vary as the gradient does has the rule that is
    # wanted, in every version of JAX.
    zeros = jnp.zeros_like(gradient)
    return jax.vjp(lambda array: array + zeros, primal)[1](gradient)[0]

  return jax.tree.map(sum_one, gradients, primals)
