"""Squash and lengths: Eq. 1 at every magnitude, and its gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from tests.ops.precision import float64
from tests.reference import differences
from tests.reference import squash as reference

FUNCTIONS = {
  'squash': (ops.squash, reference.squash),
  'lengths': (ops.lengths, reference.lengths),
}
# A direction with a zero, both signs, equal components and unequal ones.
DIRECTION = np.array([1, -0.5, 0, 1, 0.25])
MAGNITUDES = {
  'float16': [1e-7, 1e-4, 1e-2, 1, 30, 1e3, 4e4],
  'bfloat16': [1e-38, 1e-30, 1e-20, 1e-3, 1, 1e3, 1e18, 1e30, 1e38],
  'float32': [1e-38, 1e-30, 1e-20, 1e-3, 1, 1e3, 1e18, 1e30, 1e38],
  'float64': [1e-300, 1e-150, 1e-38, 1e-3, 1, 1e3, 1e38, 1e150, 1e300],
}
SIZES = [(d, m) for d, magnitudes in MAGNITUDES.items() for m in magnitudes]

each_function = pytest.mark.parametrize('name', FUNCTIONS)
each_dtype = pytest.mark.parametrize('dtype', MAGNITUDES)
each_size = pytest.mark.parametrize(('dtype', 'magnitude'), SIZES)


def in_float64(array) -> np.ndarray:
  return np.asarray(array).astype(np.float64)


@each_size
@each_function
def test_values_equal_the_reference(name, dtype, magnitude):
  function, expected = FUNCTIONS[name]
  with float64():
    vectors = jnp.asarray(DIRECTION * magnitude).astype(dtype)
    result = function(vectors)
  assert result.dtype == vectors.dtype
  info = jnp.finfo(dtype)
  np.testing.assert_allclose(
    in_float64(result),
    expected(in_float64(vectors)),
    rtol=4 * float(info.eps),
    # What is below the smallest normal number may be flushed to 0.
    atol=2 * float(info.tiny),
  )


@each_size
@each_function
def test_gradients_equal_finite_differences(name, dtype, magnitude):
  function, expected = FUNCTIONS[name]
  with float64():
    vectors = jnp.asarray(DIRECTION * magnitude).astype(dtype)
    weights = jnp.cos(jnp.arange(1.0, 6)) if name == 'squash' else jnp.ones(())
    rounded = weights.astype(dtype)
    gradient = jax.grad(lambda v: jnp.sum(rounded * function(v)))(vectors)
  point, weights = in_float64(vectors), in_float64(rounded)
  if np.max(np.abs(point)) < 2 * float(jnp.finfo(dtype).tiny):
    # Here even the vector itself may be flushed to 0, whose gradient is 0.
    assert np.all(np.isfinite(in_float64(gradient)))
    assert np.max(np.abs(in_float64(gradient))) <= 1
    return
  found = differences.gradient(
    lambda v: np.sum(weights * expected(v)),
    point,
    step=1e-6 * np.max(np.abs(point)),
  )
  # At 1e38 the differences of squash, flat there, are only float64's noise.
  noise = 1e-9 * np.max(np.abs(weights)) / np.max(np.abs(point))
  eps = float(jnp.finfo(dtype).eps)
  tolerance = max(8 * eps, 1e-7) * np.max(np.abs(found)) + noise
  tolerance += 2 * float(jnp.finfo(dtype).tiny)
  assert np.max(np.abs(in_float64(gradient) - found)) <= tolerance


@each_dtype
@each_function
def test_value_and_gradient_at_zero_are_zero(name, dtype):
  function, _ = FUNCTIONS[name]
  with float64():
    zeros = jnp.zeros((3, 4), dtype)
    value, pull = jax.vjp(function, zeros)
    (gradient,) = pull(jnp.ones_like(value))
  np.testing.assert_array_equal(in_float64(value), 0)
  np.testing.assert_array_equal(in_float64(gradient), np.zeros((3, 4)))


@each_dtype
@each_function
@pytest.mark.parametrize('wrap', [lambda f: f, jax.jit], ids=['eager', 'jit'])
def test_a_finite_input_never_gives_nan(name, dtype, wrap):
  function, _ = FUNCTIONS[name]
  info = jnp.finfo(dtype)
  largest, tiny = float(info.max), float(info.tiny)
  extremes = [0, tiny, tiny**0.5, 1, largest**0.5, largest / 2, largest]
  # Every pair of magnitudes in one vector, and the two signs.
  vectors = [[a, b, -a] for a in extremes for b in extremes]
  with float64():
    vectors = jnp.asarray(vectors).astype(dtype)
    value, pull = jax.vjp(wrap(function), vectors)
    (gradient,) = pull(jnp.ones_like(value))
  assert not np.any(np.isnan(in_float64(value)))
  assert np.all(np.isfinite(in_float64(gradient)))
  if name == 'squash':
    assert np.all(np.isfinite(in_float64(value)))


@each_dtype
def test_a_zero_vector_does_not_disturb_its_neighbours(dtype):
  with float64():
    vectors = jnp.asarray([[0.0, 0.0], [3.0, 4.0]]).astype(dtype)
    gradient = jax.grad(lambda v: jnp.sum(ops.lengths(v)))(vectors)
  np.testing.assert_allclose(
    in_float64(gradient),
    [[0, 0], [0.6, 0.8]],
    rtol=2 * float(jnp.finfo(dtype).eps),
  )


@each_size
def test_squash_keeps_directions_and_lengths_stay_within_one(dtype, magnitude):
  with float64():
    vectors = jnp.asarray(DIRECTION * magnitude).astype(dtype)
    capsule = in_float64(ops.squash(vectors))
  eps = float(jnp.finfo(dtype).eps)
  size = np.linalg.norm(capsule)
  assert size <= 1 + eps
  if magnitude < 1e-2:  # what is left of a tiny vector may be 0
    assert size <= 1.01 * np.linalg.norm(in_float64(vectors)) ** 2
    return
  direction = in_float64(vectors) / reference.lengths(in_float64(vectors))
  np.testing.assert_allclose(capsule / size, direction, atol=4 * eps)


def test_squash_of_vectors_the_eye_can_check():
  # |s| = 5: 25 / 26 of the unit vector. |s| = 1: half of it.
  vectors = jnp.array([[3.0, 4.0], [0.0, -1.0], [0.0, 0.0]])
  expected = [[15 / 26, 20 / 26], [0, -0.5], [0, 0]]
  np.testing.assert_allclose(ops.squash(vectors), expected, rtol=1e-6)
  np.testing.assert_allclose(ops.lengths(vectors), [5, 1, 0], rtol=1e-6)


@each_function
@pytest.mark.parametrize('axis', [0, 1, 2, -1, -2, -3])
def test_axis_is_that_of_the_vectors(name, axis):
  function, expected = FUNCTIONS[name]
  # Unequal sides, so that no other axis could pass for this one.
  vectors = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
  result = function(jnp.asarray(vectors), axis=axis)
  np.testing.assert_allclose(result, expected(vectors, axis=axis), rtol=1e-5)


@each_function
def test_axis_defaults_to_the_last(name):
  function, _ = FUNCTIONS[name]
  vectors = jnp.asarray(np.random.default_rng(1).normal(size=(3, 3, 3)))
  np.testing.assert_array_equal(function(vectors), function(vectors, axis=-1))


@each_function
def test_jit_vmap_and_pmap_equal_the_plain_call(name):
  function, _ = FUNCTIONS[name]
  vectors = jnp.asarray(np.random.default_rng(2).normal(size=(2, 3, 5)))
  plain = function(vectors)
  for transform in (jax.jit, jax.vmap, jax.pmap):
    np.testing.assert_allclose(
      np.asarray(transform(function)(vectors)), plain, rtol=1e-6
    )
