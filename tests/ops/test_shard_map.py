"""Ops inside `jax.shard_map`, with its default checks, on two devices."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from capsjax import ops

RNG = np.random.default_rng(0)
BATCH, REPLICATED = PartitionSpec('devices'), PartitionSpec()
IN_CAPS, OUT_CAPS = BATCH, PartitionSpec(None, 'devices')


def normal(*shape):
  return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def plain_routing(inputs, kernel):
  return ops.dynamic_routing(ops.compute_votes(inputs, kernel))


# Blocks smaller than the layer, so that there is a loop over them.
in_blocks = functools.partial(ops.fused_dynamic_routing, block_bytes=1000)
convolve = functools.partial(ops.convolution, strides=(2, 2), padding='VALID')
ROUTED = normal(4, 12, 4), normal(12, 6, 4, 5)
CASES = {
  'plain routing': (plain_routing, *ROUTED),
  'fused routing': (ops.fused_dynamic_routing, *ROUTED),
  'fused routing in blocks': (in_blocks, *ROUTED),
  # By patches and by transforms.
  'small convolution': (convolve, normal(4, 9, 9, 2), normal(5, 5, 2, 3)),
  'convolution': (convolve, normal(4, 20, 20, 16), normal(9, 9, 16, 16)),
}
each_case = pytest.mark.parametrize('case', CASES)


def mesh(axis_type):
  return jax.make_mesh((2,), ('devices',), axis_types=(axis_type,))


def loss_and_gradients(function, inputs, kernel, total=lambda loss: loss):
  def loss_fn(inputs, kernel):
    return total(jnp.sum(jnp.sin(function(inputs, kernel))))

  return jax.value_and_grad(loss_fn, argnums=(0, 1))(inputs, kernel)


def assert_close(found, expected):
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4),
    found,
    expected,
  )


@each_case
def test_a_shared_batch_gives_the_same(case):
  """The kernel is the same on both devices, so its gradient is summed."""
  function, inputs, kernel = CASES[case]
  total = functools.partial(jax.lax.psum, axis_name='devices')
  shared = jax.shard_map(
    functools.partial(loss_and_gradients, function, total=total),
    mesh=mesh(AxisType.Auto),
    in_specs=(BATCH, REPLICATED),
    out_specs=(REPLICATED, (BATCH, REPLICATED)),
  )
  expected = jax.jit(functools.partial(loss_and_gradients, function))
  assert_close(jax.jit(shared)(inputs, kernel), expected(inputs, kernel))


# Over the batch, or over the input or output capsules of the kernel.
SPECS = [(case, BATCH, REPLICATED) for case in CASES]
for case in CASES:
  if 'routing' in case:
    SPECS += [(case, REPLICATED, IN_CAPS), (case, REPLICATED, OUT_CAPS)]


@pytest.mark.parametrize(('case', 'inputs_spec', 'kernel_spec'), SPECS)
def test_shardings_of_jit_give_the_same(case, inputs_spec, kernel_spec):
  function, inputs, kernel = CASES[case]
  auto = mesh(AxisType.Auto)
  placed = (
    jax.device_put(inputs, NamedSharding(auto, inputs_spec)),
    jax.device_put(kernel, NamedSharding(auto, kernel_spec)),
  )
  step = jax.jit(functools.partial(loss_and_gradients, function))
  assert_close(step(*placed), step(inputs, kernel))


@each_case
def test_axes_of_explicit_type_give_the_same(case):
  function, inputs, kernel = CASES[case]
  explicit = mesh(AxisType.Explicit)
  step = jax.jit(functools.partial(loss_and_gradients, function))
  with jax.set_mesh(explicit):
    placed = jax.device_put(inputs, NamedSharding(explicit, BATCH))
    everywhere = jax.device_put(kernel, NamedSharding(explicit, REPLICATED))
    outputs = jax.jit(function)(placed, everywhere)
    found = step(placed, everywhere)
  assert outputs.sharding.spec[0] == 'devices'
  assert_close(outputs, jax.jit(function)(inputs, kernel))
  assert_close(found, step(inputs, kernel))
