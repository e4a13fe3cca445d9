"""Gradients of every routing function, against finite differences."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.ops.precision import float64, relative_error
from tests.ops.routing_cases import (
  ENTRIES,
  OPTIONS,
  OUT_CAPS,
  OUT_DIM,
  as_jax,
  example,
  options_as_jax,
)
from tests.reference import differences
from tests.reference import routing as reference

each_entry = pytest.mark.parametrize('entry', ENTRIES)
each_option = pytest.mark.parametrize('option', OPTIONS)
# Together these two cover every option.
none_or_all = pytest.mark.parametrize('option', ['paper', 'everything'])

WEIGHTS = np.random.default_rng(20).normal(size=(2, OUT_CAPS, OUT_DIM))
LEARNED = ('bias', 'log_priors')


def learned(option) -> dict:
  """Returns every array to differentiate for an option, in float64."""
  inputs, kernel = example(2)
  options = OPTIONS[option]
  arrays = {name: options[name] for name in LEARNED if name in options}
  return {'inputs': inputs, 'kernel': kernel, **arrays}


@functools.cache
def agreements(option) -> np.ndarray:
  """Returns what routing adds to each example's logits before its last sum."""
  inputs, kernel = example(2)
  priors = OPTIONS[option].get('log_priors', 0)
  votes = (reference.compute_votes(u, kernel) for u in inputs)
  runs = [reference.iterations(v, **OPTIONS[option]) for v in votes]
  return np.stack([run[-1].routing_logits - priors for run in runs])


def reference_loss(option, inputs, kernel, log_priors=0, bias=None) -> float:
  """Weights and sums the capsules; `stop_gradient` makes agreement constant."""
  options = dict(OPTIONS[option])
  if bias is not None:
    options['bias'] = bias
  if not options.get('stop_gradient'):
    if np.ndim(log_priors):
      options['log_priors'] = log_priors
    capsules, _ = reference.route(inputs, kernel, **options)
    return float(np.sum(WEIGHTS * capsules))
  last = {k: v for k, v in options.items() if k in ('leaky', 'bias')}
  capsules = [
    reference.weighted_sum(
      reference.compute_votes(u, kernel), log_priors + agreement, **last
    )[1]
    for u, agreement in zip(inputs, agreements(option), strict=True)
  ]
  return float(np.sum(WEIGHTS * np.array(capsules)))


@functools.cache
def expected_gradients(option) -> dict:
  arrays = learned(option)

  def gradient(name):
    def loss(array):
      return reference_loss(option, **{**arrays, name: array})

    return differences.gradient(loss, arrays[name], step=1e-5)

  return {name: gradient(name) for name in arrays}


def gradients(entry, option, **more) -> dict:
  """Differentiates with JAX, in its current default dtype."""
  dtype = jnp.asarray(0.0).dtype

  def loss(arrays):
    options = options_as_jax(OPTIONS[option], dtype) | arrays | more
    inputs, kernel = options.pop('inputs'), options.pop('kernel')
    result = ENTRIES[entry](inputs, kernel, **options)
    capsules = result[0] if more.get('return_couplings') else result
    return jnp.sum(as_jax(WEIGHTS, dtype) * capsules)

  arrays = options_as_jax(learned(option), dtype)
  return jax.jit(jax.grad(loss))(arrays)


@each_option
@each_entry
def test_gradients_equal_finite_differences(entry, option):
  with float64():
    found = gradients(entry, option)
  expected = expected_gradients(option)
  assert found.keys() == expected.keys()
  for name, gradient in found.items():
    assert gradient.dtype == np.float64
    assert relative_error(gradient, expected[name]) < 1e-7, name


@none_or_all
@each_entry
def test_gradients_in_float32_beside_couplings_are_the_same(entry, option):
  expected = expected_gradients(option)
  for name, gradient in gradients(entry, option, return_couplings=True).items():
    assert gradient.dtype == np.float32
    assert relative_error(gradient, expected[name]) < 1e-5, name


def test_stopping_the_gradient_matters():
  # Otherwise the tests above could not tell one from the other.
  flowing, stopped = map(expected_gradients, ('paper', 'stop_gradient'))
  for name in flowing:
    assert relative_error(stopped[name], flowing[name]) > 0.1


@each_entry
def test_couplings_have_gradients_too(entry):
  inputs, kernel = example(2)
  weights = np.random.default_rng(21).normal(size=(3, 2, 5, 3))

  def reference_loss(inputs):
    return float(np.sum(weights * reference.route(inputs, kernel)[1]))

  def loss(inputs):
    _, couplings = ENTRIES[entry](
      inputs, jnp.asarray(kernel), return_couplings=True
    )
    return jnp.sum(jnp.asarray(weights) * couplings)

  with float64():
    found = jax.jit(jax.grad(loss))(jnp.asarray(inputs))
  expected = differences.gradient(reference_loss, inputs, step=1e-5)
  assert relative_error(found, expected) < 1e-7


@none_or_all
@each_entry
def test_gradients_in_bfloat16_are_near(entry, option):
  def loss(inputs, kernel):
    options = options_as_jax(OPTIONS[option], jnp.bfloat16)
    capsules = ENTRIES[entry](inputs, kernel, **options)
    return jnp.sum(as_jax(WEIGHTS, jnp.bfloat16) * capsules)

  arrays = [as_jax(a, jnp.bfloat16) for a in example(2)]
  found = jax.jit(jax.grad(loss, (0, 1)))(*arrays)
  for gradient, name in zip(found, ('inputs', 'kernel'), strict=True):
    assert gradient.dtype == jnp.bfloat16
    error = relative_error(
      np.asarray(gradient).astype(np.float64), expected_gradients(option)[name]
    )
    assert error < 16 * float(jnp.finfo(jnp.bfloat16).eps)
