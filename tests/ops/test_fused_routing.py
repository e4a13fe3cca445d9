"""What the fused entry does apart: blocks of children, and little memory."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from tests.ops.precision import relative_error
from tests.ops.routing_cases import OPTIONS, as_jax, options_as_jax, plain

BATCH, IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM = 5, 13, 3, 2, 4
CHILD_BYTES = BATCH * OUT_CAPS * OUT_DIM * 4  # the votes of one child


def arrays():
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(BATCH, IN_CAPS, IN_DIM))
  kernel = rng.normal(size=(IN_CAPS, OUT_CAPS, IN_DIM, OUT_DIM))
  return as_jax(inputs), as_jax(kernel)


def value_and_gradients(function, options):
  """The capsules, the couplings, and the gradients of all arrays."""
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


# Blocks of 1 child (even if there is no room for one), 2 and 5: 13 is not a
# multiple of these, so that the last block is padded.
@pytest.mark.parametrize('block_bytes', [0, 2 * CHILD_BYTES, 5 * CHILD_BYTES])
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
    ops.fused_dynamic_routing, block_bytes=2 * CHILD_BYTES
  )
  program = str(jax.make_jaxpr(route)(*arrays()))
  assert f'[2,{BATCH},{OUT_CAPS},{OUT_DIM}]' in program, 'a block of two'
  assert f'[{IN_CAPS},{BATCH},{OUT_CAPS},{OUT_DIM}]' not in program


# The paper's class capsules at batch 128: the votes are 94 MB.
BIG = (
  jax.ShapeDtypeStruct((128, 1152, 8), jnp.float32),
  jax.ShapeDtypeStruct((1152, 10, 8, 16), jnp.float32),
)
VOTE_BYTES = 128 * 1152 * 10 * 16 * 4


def temporary_bytes(function) -> int:
  """How much memory besides arguments and results a compiled call takes."""
  compiled = jax.jit(function).lower(*BIG).compile()
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
  fused = functools.partial(ops.fused_dynamic_routing, **options)
  assert temporary_bytes(wrap(fused)) < VOTE_BYTES / 2


def test_the_plain_entry_does_hold_them():
  # Else the test above would measure nothing.
  assert temporary_bytes(gradient_of(plain)) > VOTE_BYTES
