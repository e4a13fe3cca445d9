"""Fused routing only: blocks of children, and low memory use."""

import functools
import re

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from capsjax import ops
from tests.ops.precision import relative_error
from tests.ops.routing_cases import OPTIONS, as_jax, options_as_jax, plain

BATCH, IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM = 6, 13, 3, 2, 4
CHILD_BYTES = BATCH * OUT_CAPS * OUT_DIM * 4  # the votes of one child


def arrays():
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(BATCH, IN_CAPS, IN_DIM))
  kernel = rng.normal(size=(IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM))
  return as_jax(inputs), as_jax(kernel)


def value_and_gradients(function, options):
  """Returns the capsules, the couplings, and the gradients of all arrays."""
  inputs, kernel = arrays()
  priors = as_jax(np.random.default_rng(1).normal(size=(IN_CAPS, OUT_CAPS)))
  options = options_as_jax(options) | {'log_priors': priors}

  def route(inputs, kernel, options):
    capsules, couplings = function(
      inputs, kernel, return_couplings=True, **options
    )
    return jnp.sum(jnp.sin(capsules)), (capsules, couplings)

  static = {n: v for n, v in options.items() if not isinstance(v, jax.Array)}
  traced = {n: v for n, v in options.items() if isinstance(v, jax.Array)}

  @jax.jit
  @functools.partial(jax.grad, argnums=(0, 1, 2), has_aux=True)
  def step(inputs, kernel, traced):
    return route(inputs, kernel, static | traced)

  return jax.tree.leaves(step(inputs, kernel, traced))


@functools.cache
def expected(option):
  return value_and_gradients(plain, OPTIONS[option])


# Blocks of 1 child (even without room for one); of 5, which does not divide 13,
# so that the last block is padded; and of all children.
@pytest.mark.parametrize('block_bytes', [0, 5 * CHILD_BYTES, 2**20])
@pytest.mark.parametrize('option', ['paper', 'everything'])
def test_blocks_change_nothing(option, block_bytes):
  route = functools.partial(ops.fused_dynamic_routing, block_bytes=block_bytes)
  found = value_and_gradients(route, OPTIONS[option])
  for array, other in zip(found, expected(option), strict=True):
    assert array.shape == other.shape
    assert relative_error(array, other) < 1e-5


def test_the_size_of_a_block_bounds_what_is_held():
  # The test above would prove nothing if the argument did nothing.
  route = functools.partial(
    ops.fused_dynamic_routing, block_bytes=5 * CHILD_BYTES
  )
  program = jax.jit(route).lower(*arrays()).as_text()
  assert f'{OUT_CAPS}x5x{IN_DIM}x{BATCH}xf32' in program, 'a block of five'
  assert f'{OUT_CAPS}x{IN_CAPS}x{IN_DIM}x{BATCH}xf32' not in program


def big(out_dim=16):
  """The paper's class capsules at batch 128, whose votes take 94 MB."""
  return (
    jax.ShapeDtypeStruct((128, 1152, 8), jnp.float32),
    jax.ShapeDtypeStruct((1152, 10, 8, out_dim), jnp.float32),
  )


VOTE_BYTES = 128 * 1152 * 10 * 16 * 4


def temporary_bytes(function, arrays=None) -> int:
  """Returns a compiled call's memory, without arguments and results."""
  compiled = jax.jit(function).lower(*(arrays or big())).compile()
  return compiled.memory_analysis().temp_size_in_bytes


def gradient_of(function):
  def loss(inputs, kernel):
    return jnp.sum(function(inputs, kernel))

  return jax.grad(loss, (0, 1))


@pytest.mark.parametrize('stop_gradient', [False, True])
@pytest.mark.parametrize(
  'wrap', [lambda f: f, gradient_of], ids=['forward', 'gradient']
)
def test_all_votes_are_never_held(wrap, stop_gradient):
  options = {'stop_gradient': stop_gradient}
  fused = wrap(functools.partial(ops.fused_dynamic_routing, **options))
  assert temporary_bytes(fused) < 0.6 * VOTE_BYTES


def test_memory_does_not_grow_with_the_dimension_of_the_votes():
  # It grows by a few copies of the kernel, 6 MB each, but not by the votes.
  fused = gradient_of(ops.fused_dynamic_routing)
  growth = temporary_bytes(fused, big(32)) - temporary_bytes(fused)
  assert growth < 0.5 * VOTE_BYTES


def test_the_plain_entry_does_hold_them():
  # Otherwise the test above would measure nothing.
  assert temporary_bytes(gradient_of(plain)) > VOTE_BYTES


def scalar(function, inputs, kernel):
  return jnp.sum(jnp.sin(function(inputs, kernel)))


def test_many_output_capsules():
  rng = np.random.default_rng(2)
  arrays = [as_jax(rng.normal(size=s)) for s in ((4, 3, 2), (3, 19, 2, 4))]
  found, wanted = (
    jax.jit(jax.grad(functools.partial(scalar, f), (0, 1)))(*arrays)
    for f in (ops.fused_dynamic_routing, plain)
  )
  for array, other in zip(found, wanted, strict=True):
    assert relative_error(array, other) < 1e-5


def program_for(platform, batch):
  """Returns the program for a platform, without needing the device."""
  shapes = [
    jax.ShapeDtypeStruct((batch, 1152, 8), jnp.float32),
    jax.ShapeDtypeStruct((1152, 10, 8, 16), jnp.float32),
  ]
  slope = jax.jit(gradient_of(ops.fused_dynamic_routing))
  return slope.trace(*shapes).lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize(
  ('platform', 'batch', 'blocks'),
  [
    ('cpu', 128, 64),
    ('tpu', 128, 1),
    # Plain routing over votes has no blocks.
    ('cuda', 128, 0),
    # 754 MB of votes exceed the limit for a GPU, and one block.
    ('cuda', 1024, 3),
  ],
)
def test_the_way_follows_the_platform_compiled_for(platform, batch, blocks):
  program = program_for(platform, batch)
  kernels = re.findall(r'tensor<(\d+)x10x\d+x16xf32>', program)
  assert ('stablehlo.while' in program) == bool(blocks)
  assert not blocks or str(blocks) in kernels


def test_nothing_of_another_platform_is_held_for_the_backward_pass():
  arrays = [jnp.zeros(shape.shape) for shape in big()]
  _, pull = jax.vjp(jax.jit(ops.fused_dynamic_routing), *arrays)
  held = sum(leaf.nbytes for leaf in jax.tree.leaves(pull))
  assert held < 0.6 * VOTE_BYTES


def test_no_example_is_routed_to_none():
  inputs, kernel = arrays()
  route = functools.partial(ops.fused_dynamic_routing, return_couplings=True)
  capsules, couplings = route(inputs[:0], kernel)
  assert capsules.shape == (0, OUT_CAPS, OUT_DIM)
  assert couplings.shape == (3, 0, IN_CAPS, OUT_CAPS)
  gradient = jax.grad(lambda k: route(inputs[:0], k)[0].sum())(kernel)
  assert not gradient.any()


def test_a_bias_of_another_dtype_has_its_gradient():
  """As with float32 parameters and computation in bfloat16."""
  inputs, kernel = (array.astype(jnp.bfloat16) for array in arrays())
  bias = jnp.full((OUT_CAPS, OUT_DIM), 0.1, jnp.float32)

  def total(bias):
    routed = ops.fused_dynamic_routing(inputs, kernel, bias=bias)
    assert routed.dtype == jnp.bfloat16
    return jnp.sum(routed.astype(jnp.float32))

  gradient = jax.grad(total)(bias)
  assert gradient.dtype == jnp.float32 and gradient.any()


def test_a_kernel_of_another_dtype_is_refused():
  inputs, kernel = arrays()
  with pytest.raises(ValueError, match='bfloat16 and the kernel is float32'):
    ops.fused_dynamic_routing(inputs.astype(jnp.bfloat16), kernel)


def test_swapped_axes_are_refused(monkeypatch):
  """With one iteration and no shape checks they would go unnoticed."""
  monkeypatch.setattr(jaxtyping.config, 'jaxtyping_disable', True)
  inputs, kernel = arrays()
  with pytest.raises(ValueError, match=r'do not end in .*\(13, 2\)'):
    ops.fused_dynamic_routing(inputs.swapaxes(1, 2), kernel, num_iterations=1)
