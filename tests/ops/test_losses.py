"""The two losses: Eq. 4 and the sum of squares, one value per example."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from tests.ops.precision import relative_error
from tests.reference import differences
from tests.reference import losses as reference

NUM_CLASSES = 5
# Zero, one, two and all classes present.
TARGETS = np.array(
  [[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]],
  np.float32,
)
KNOBS = {
  'paper': {},
  'positive_margin': {'positive_margin': 0.7},
  'negative_margin': {'negative_margin': 0.3},
  'down_weight': {'down_weight': 0.25},
}
each_knob = pytest.mark.parametrize('knob', KNOBS)


def some_lengths():
  """Returns lengths on both sides of both margins in every row."""
  rng = np.random.default_rng(0)
  rows = [rng.permutation([0.02, 0.2, 0.5, 0.8, 0.97]) for _ in TARGETS]
  return np.array(rows, np.float32)


def some_images(*batch):
  rng = np.random.default_rng(1)
  shape = (2, *batch, 3, 4, 2)
  return rng.uniform(size=shape).astype(np.float32)


@each_knob
def test_margin_loss_equals_the_reference(knob):
  lengths = some_lengths()
  losses = ops.margin_loss(
    jnp.asarray(lengths), jnp.asarray(TARGETS), **KNOBS[knob]
  )
  expected = reference.margin_loss(lengths, TARGETS, **KNOBS[knob])
  np.testing.assert_allclose(losses, expected, rtol=1e-5)
  if knob != 'paper':
    assert np.any(
      np.abs(expected - reference.margin_loss(lengths, TARGETS)) > 0
    )


@each_knob
def test_margin_loss_has_the_gradient_of_the_reference(knob):
  lengths = some_lengths()

  def total(lengths):
    losses = ops.margin_loss(lengths, jnp.asarray(TARGETS), **KNOBS[knob])
    return jnp.sum(losses)

  expected = differences.gradient(
    lambda rows: np.sum(reference.margin_loss(rows, TARGETS, **KNOBS[knob])),
    lengths,
  )
  assert relative_error(jax.grad(total)(jnp.asarray(lengths)), expected) < 1e-5


def test_margin_loss_the_eye_can_check():
  lengths = jnp.array([[0.9, 0.1, 0.0], [0.4, 0.3, 0.1], [0.95, 0.0, 0.5]])
  targets = jnp.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
  # 0.5^2 + 0.5 0.2^2; 0.9^2 + 0.5 0.4^2.
  np.testing.assert_allclose(
    ops.margin_loss(lengths, targets), [0, 0.27, 0.89], rtol=1e-5, atol=1e-12
  )


@pytest.mark.parametrize('batch', [(), (3,), (2, 3)])
def test_reconstruction_loss_equals_the_reference(batch):
  decoded, images = some_images(*batch)
  losses = ops.reconstruction_loss(jnp.asarray(decoded), jnp.asarray(images))
  assert losses.shape == batch
  np.testing.assert_allclose(
    losses, reference.reconstruction_loss(decoded, images), rtol=1e-5
  )


def test_reconstruction_loss_is_a_sum_not_a_mean():
  ones = jnp.ones((2, 28, 28, 1))
  np.testing.assert_array_equal(
    ops.reconstruction_loss(ones, 0.5 * ones), [196, 196]
  )


@pytest.mark.parametrize('batch', [(), (4,), (2, 2)])
def test_margin_loss_is_never_reduced_over_examples(batch):
  lengths, targets = (
    np.resize(a, (*batch, NUM_CLASSES)) for a in (some_lengths(), TARGETS)
  )
  losses = ops.margin_loss(jnp.asarray(lengths), jnp.asarray(targets))
  assert losses.shape == batch
  np.testing.assert_allclose(
    losses, reference.margin_loss(lengths, targets), rtol=1e-5
  )


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
def test_narrow_dtypes_are_kept(dtype):
  lengths = jnp.asarray(some_lengths(), dtype)
  losses = ops.margin_loss(lengths, jnp.asarray(TARGETS, dtype))
  assert losses.dtype == dtype
  expected = reference.margin_loss(np.asarray(lengths, np.float64), TARGETS)
  # The term of each of the five classes is rounded a few times.
  np.testing.assert_allclose(
    np.asarray(losses, np.float64), expected, rtol=8 * jnp.finfo(dtype).eps
  )
  images = jnp.asarray(some_images(2), dtype)
  assert ops.reconstruction_loss(*images).dtype == dtype


ONE_CLASS = np.eye(NUM_CLASSES, dtype=np.float32)[[0, 4, 2, 1]]


@pytest.mark.parametrize('margin', [0.2, 0.55, 0.9])
def test_spread_loss_and_its_gradient_equal_the_reference(margin):
  activations = some_lengths()

  def total(activations):
    return jnp.sum(
      ops.spread_loss(activations, jnp.asarray(ONE_CLASS), margin=margin)
    )

  losses = ops.spread_loss(
    jnp.asarray(activations), jnp.asarray(ONE_CLASS), margin=margin
  )
  expected = reference.spread_loss(activations, ONE_CLASS, margin=margin)
  np.testing.assert_allclose(losses, expected, rtol=1e-5, atol=1e-6)
  slopes = differences.gradient(
    lambda rows: np.sum(reference.spread_loss(rows, ONE_CLASS, margin=margin)),
    activations,
  )
  found = jax.grad(total)(jnp.asarray(activations))
  assert relative_error(found, slopes) < 1e-4


def test_spread_loss_the_eye_can_check():
  # 0.9 - (0.8 - 0.5) = 0.6 and 0.9 - (0.8 - 0) = 0.1.
  losses = ops.spread_loss(
    jnp.array([0.8, 0.5, 0.0]), jnp.array([1.0, 0.0, 0.0])
  )
  np.testing.assert_allclose(losses, 0.37, rtol=1e-5)


def test_likelihood_of_activations():
  activations = jnp.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
  targets = jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
  found = ops.activation_nll(activations, targets)
  np.testing.assert_allclose(found, [np.log(4), 0], atol=1e-6)
  # An activation of 0 gives a large loss, and gradients without nan.
  value, slope = jax.value_and_grad(
    lambda a: jnp.sum(ops.activation_nll(a, targets[::-1]))
  )(activations)
  assert np.isfinite(value) and np.all(np.isfinite(slope))
  assert value > 80
