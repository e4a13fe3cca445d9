"""What other programs do with the ops: vmap over examples, one example."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import capsjax


class Compiled(NamedTuple):
  """A compiled call.

  Attributes:
    call: takes no arguments.
    temporary_mb: memory beside arguments and results.
  """

  call: Callable[[], Any]
  temporary_mb: float


def gradients(batch: int) -> dict[str, dict[str, Compiled]]:
  """Returns the gradients of ops at the paper's sizes, by op and way.

  The ways are one call for the batch, and `vmap` of the loss of one example.
  """
  return {
    'routing': _ways(
      capsjax.fused_dynamic_routing,
      _normal(batch, 1152, 8),
      0.1 * _normal(1152, 10, 8, 16),
    ),
    'convolution': _ways(
      _strided, _normal(batch, 20, 20, 256), 0.01 * _normal(9, 9, 256, 256)
    ),
  }


def one_example() -> dict[str, dict[str, Compiled]]:
  """Returns the forward pass of one example, ours and plain JAX, by op."""
  inputs, kernel = _normal(1, 1152, 8), 0.1 * _normal(1152, 10, 8, 16)
  images, filters = _normal(1, 20, 20, 256), 0.01 * _normal(9, 9, 256, 256)
  return {
    'routing': {
      'capsjax': _compile(capsjax.fused_dynamic_routing, inputs, kernel),
      'plain JAX': _compile(_plain_routing, inputs, kernel),
    },
    'convolution': {
      'capsjax': _compile(_strided, images, filters),
      'plain JAX': _compile(_plain_convolution, images, filters),
    },
  }


def _strided(images, kernel):
  return capsjax.convolution(images, kernel, strides=(2, 2))


def _plain_convolution(images, kernel):
  return jax.lax.conv_general_dilated(
    images,
    kernel,
    (2, 2),
    'VALID',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def _plain_routing(inputs, kernel):
  return capsjax.dynamic_routing(capsjax.compute_votes(inputs, kernel))


def _normal(*shape):
  values = np.random.default_rng(0).normal(size=shape)
  return jnp.asarray(values, jnp.float32)


def _ways(op, examples, kernel):
  def loss(example, kernel):
    return jnp.sum(jnp.square(op(example, kernel)))

  def mapped(examples, kernel):
    return jnp.sum(jax.vmap(loss, (0, None))(examples, kernel))

  return {
    'capsjax': _compile(jax.grad(loss, (0, 1)), examples, kernel),
    'capsjax, vmap': _compile(jax.grad(mapped, (0, 1)), examples, kernel),
  }


def _compile(function, *arrays):
  compiled = jax.jit(function).lower(*arrays).compile()
  memory = compiled.memory_analysis()
  return Compiled(lambda: compiled(*arrays), memory.temp_size_in_bytes / 2**20)
