"""Squash and lengths: Eq. 1 at every magnitude, and its gradient."""

import functools

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
  'exponential_squash': (ops.exponential_squash, reference.exponential_squash),
  'lengths': (ops.lengths, reference.lengths),
}
# Both signs, a zero, equal components and unequal ones.
DIRECTION = np.array([1, -0.5, 0, 1, 0.25])
MAGNITUDES = {
  'float16': [1e-7, 1e-4, 1e-2, 1, 30, 1e3, 4e4],
  'bfloat16': [1e-38, 1e-30, 1e-20, 1e-3, 1, 1e3, 1e18, 1e30, 1e38],
  'float32': [1e-38, 1e-30, 1e-20, 1e-3, 1, 1e3, 1e18, 1e30, 1e38],
  'float64': [1e-300, 1e-150, 1e-38, 1e-3, 1, 1e3, 1e38, 1e150, 1e300],
}
# Weights of the outputs, so that no component's gradient hides another's.
WEIGHTS = np.array([0.5, -0.25, 0.75, -1, 0.125])

each_function = pytest.mark.parametrize('name', FUNCTIONS)
each_dtype = pytest.mark.parametrize('dtype', MAGNITUDES)


@functools.cache
def compiled(name):
  """Compiles a function's value and the gradient of its weighted sum."""
  function, _ = FUNCTIONS[name]

  @jax.jit
  def value_and_gradient(vectors, weights):
    value, pull = jax.vjp(function, vectors)
    return value, pull(weights)[0]

  return value_and_gradient


def compute(name, dtype, vectors):
  """Returns rounded vectors, values and weighted gradients, in float64."""
  weights = WEIGHTS[: np.shape(vectors)[1]]
  with float64():
    vectors = jnp.asarray(vectors).astype(dtype)
    if name != 'lengths':
      weights = jnp.asarray(np.tile(weights, (len(vectors), 1))).astype(dtype)
    else:
      weights = jnp.ones(len(vectors), dtype)
    value, gradient = compiled(name)(vectors, weights)
  assert value.dtype == gradient.dtype == vectors.dtype
  return tuple(
    np.asarray(a).astype(np.float64) for a in (vectors, value, gradient)
  )


def at_all_magnitudes(dtype):
  return np.outer(MAGNITUDES[dtype], DIRECTION)


@each_dtype
@each_function
def test_values_equal_the_reference(name, dtype):
  vectors, values, _ = compute(name, dtype, at_all_magnitudes(dtype))
  np.testing.assert_allclose(
    values,
    FUNCTIONS[name][1](vectors),
    rtol=4 * float(jnp.finfo(dtype).eps),
    # Values below the smallest normal number may be flushed to 0.
    atol=2 * float(jnp.finfo(dtype).tiny),
  )


@each_dtype
@each_function
def test_gradients_equal_finite_differences(name, dtype):
  vectors, _, gradients = compute(name, dtype, at_all_magnitudes(dtype))
  eps, tiny = float(jnp.finfo(dtype).eps), float(jnp.finfo(dtype).tiny)
  weights = 1 if name == 'lengths' else WEIGHTS
  for vector, gradient in zip(vectors, gradients, strict=True):
    size = np.max(np.abs(vector))
    if size < 2 * tiny:
      # Here the vector itself may be flushed to 0, whose gradient is 0.
      assert np.max(np.abs(gradient)) <= 1
      continue
    expected = differences.gradient(
      lambda v: np.sum(weights * FUNCTIONS[name][1](v)),
      vector,
      step=1e-6 * size,
    )
    # Where squash is flat, finite differences are only float64 noise.
    noise = 1e-9 / size if size > 1 else 0
    tolerance = max(8 * eps, 1e-7) * np.max(np.abs(expected))
    # Where the square underflows, so does part of squash's gradient, which is
    # itself about as small as the vector.
    lost = 2 * size if name == 'squash' and size < tiny**0.5 else 2 * tiny
    error = np.max(np.abs(gradient - expected))
    assert error <= tolerance + noise + lost, size


@each_dtype
@each_function
def test_value_and_gradient_at_zero(name, dtype):
  _, values, gradients = compute(name, dtype, np.zeros((3, 5)))
  np.testing.assert_array_equal(values, 0)
  expected = np.tile(gradient_at_zero(name), (3, 1))
  np.testing.assert_array_equal(gradients, expected)


@each_dtype
@each_function
def test_a_zero_vector_does_not_disturb_its_neighbours(name, dtype):
  vectors = at_all_magnitudes(dtype)[2:5]
  _, alone, alone_gradients = compute(name, dtype, vectors)
  vectors[1] = 0
  _, values, gradients = compute(name, dtype, vectors)
  np.testing.assert_array_equal(values[::2], alone[::2])
  np.testing.assert_array_equal(gradients[::2], alone_gradients[::2])
  np.testing.assert_array_equal(gradients[1], gradient_at_zero(name))


def gradient_at_zero(name):
  """The exponential squash is the identity there; the others are flat."""
  return WEIGHTS if name == 'exponential_squash' else np.zeros(5)


@each_dtype
@each_function
def test_a_finite_input_never_gives_nan(name, dtype):
  largest, tiny = float(jnp.finfo(dtype).max), float(jnp.finfo(dtype).tiny)
  extremes = [0, tiny, tiny**0.5, 1, largest**0.5, largest / 2, largest]
  # Every pair of magnitudes in one vector, with both signs.
  vectors = [[a, b, -a, 0, b] for a in extremes for b in extremes]
  vectors, values, gradients = compute(name, dtype, vectors)
  assert np.all(np.isfinite(vectors))
  assert np.all(np.isfinite(gradients))
  # A length may be too large for the dtype; a squashed capsule may not.
  assert not np.any(np.isnan(values))
  assert name == 'lengths' or np.all(np.isfinite(values))


@each_dtype
@pytest.mark.parametrize('name', ['squash', 'exponential_squash'])
def test_squash_keeps_directions_and_lengths_stay_within_one(name, dtype):
  vectors, capsules, _ = compute(name, dtype, at_all_magnitudes(dtype))
  eps = float(jnp.finfo(dtype).eps)
  sizes = reference.lengths(capsules)
  assert np.all(sizes <= 1 + eps)
  # A tiny vector's square may underflow to 0.
  is_large = np.array(MAGNITUDES[dtype]) >= 1e-2
  # Two lengths that should be 1 may each be rounded by an eps.
  assert np.all(np.diff(sizes[is_large]) >= -2 * eps)
  directions = capsules[is_large] / sizes[is_large, None]
  expected = DIRECTION / reference.lengths(DIRECTION)
  np.testing.assert_allclose(
    directions, np.tile(expected, (len(directions), 1)), atol=4 * eps
  )


def test_vectors_the_eye_can_check():
  # |s| = 5: 25 / 26 of the unit vector. |s| = 1: half of it.
  vectors = jnp.array([[3.0, 4.0], [0.0, -1.0], [0.0, 0.0]])
  expected = [[15 / 26, 20 / 26], [0, -0.5], [0, 0]]
  np.testing.assert_allclose(ops.squash(vectors), expected, rtol=1e-6)
  np.testing.assert_allclose(ops.lengths(vectors), [5, 1, 0], rtol=1e-6)
  # exp(-5) = 0.0067 and exp(-1) = 0.3679.
  expected = [[0.6 * 0.9933, 0.8 * 0.9933], [0, -0.6321], [0, 0]]
  np.testing.assert_allclose(
    ops.exponential_squash(vectors), expected, atol=1e-4
  )


@each_function
@pytest.mark.parametrize('axis', [0, 1, 2, -1, -2, -3])
def test_axis_is_that_of_the_vectors(name, axis):
  function, expected = FUNCTIONS[name]
  # Unequal sizes, so that a wrong axis is noticed.
  vectors = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
  result = jax.jit(functools.partial(function, axis=axis))(vectors)
  np.testing.assert_allclose(result, expected(vectors, axis=axis), rtol=1e-5)


def hessian(function, vector):
  return np.asarray(jax.jit(jax.hessian(function))(jnp.asarray(vector)))


def test_second_derivatives_at_zero():
  """Those of squash vanish there; the others have none, which counts as 0."""
  zero = np.zeros(3, np.float32)
  for function, _ in FUNCTIONS.values():
    np.testing.assert_array_equal(hessian(function, zero), 0)

  def loss(capsules):
    return ops.margin_loss(ops.lengths(capsules), jnp.asarray([1.0, 0.0]))

  found = hessian(loss, np.zeros((2, 3), np.float32))
  np.testing.assert_array_equal(found, 0)


@pytest.mark.parametrize('magnitude', [1e-3, 1, 1e3])
def test_second_derivatives_are_those_of_the_reference(magnitude):
  """Against central differences of the reference's values, in float64."""
  vector, step = magnitude * DIRECTION, 1e-4 * magnitude
  shifts = step * np.eye(len(vector))
  for function, value in FUNCTIONS.values():

    def second(a, b, value=value):
      return (
        value(vector + a + b)
        - value(vector + a - b)
        - value(vector - a + b)
        + value(vector - a - b)
      ) / (4 * step**2)

    expected = np.array([[second(a, b) for a in shifts] for b in shifts])
    with float64():
      found = hessian(function, vector)
    # The reference has the components of squash last, JAX has them first.
    expected = np.moveaxis(expected, (0, 1), (-2, -1))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=1e-5 * scale)
