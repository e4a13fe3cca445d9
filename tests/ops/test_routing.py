"""Tests for every routing function: values, properties, transforms."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from tests.ops.routing_cases import (
  BIAS,
  ENTRIES,
  IN_CAPS,
  LOG_PRIORS,
  OPTIONS,
  OUT_CAPS,
  OUT_DIM,
  as_jax,
  example,
  options_as_jax,
  route,
)
from tests.reference import routing as reference
from tests.reference import squash as squash_reference

each_entry = pytest.mark.parametrize('entry', ENTRIES)
each_option = pytest.mark.parametrize('option', OPTIONS)
# Together these two cover every option.
none_or_all = pytest.mark.parametrize('option', ['paper', 'everything'])
each_batch = pytest.mark.parametrize(
  'batch', [(), (2,), (2, 3)], ids=lambda b: f'batch{len(b)}'
)


def kernel_of_votes(votes):
  """Returns inputs and kernel with these votes `[in_caps, out_caps, dim]`."""
  return np.ones((len(votes), 1)), np.asarray(votes, np.float64)[:, :, None]


def assert_equals_reference(entry, inputs, kernel, options):
  capsules, couplings = route(entry, inputs, kernel, **options)
  expected = reference.route(inputs, kernel, **options)
  np.testing.assert_allclose(capsules, expected[0], atol=1e-5, rtol=1e-5)
  np.testing.assert_allclose(couplings, expected[1], atol=1e-5, rtol=1e-5)


@each_option
@each_entry
def test_capsules_and_couplings_equal_the_reference(entry, option):
  assert_equals_reference(entry, *example(2), OPTIONS[option])


@pytest.mark.parametrize('batch', [(), (2, 3)], ids=['batch0', 'batch2'])
@none_or_all
@each_entry
def test_any_number_of_batch_axes_equals_the_reference(entry, option, batch):
  assert_equals_reference(entry, *example(*batch), OPTIONS[option])


def rounded_to_bfloat16(value):
  if not isinstance(value, np.ndarray):
    return value
  return np.asarray(jnp.asarray(value, jnp.bfloat16)).astype(np.float64)


@none_or_all
@each_entry
def test_bfloat16_equals_the_reference_to_its_precision(entry, option):
  # The reference starts from the same rounded numbers.
  inputs, kernel = map(rounded_to_bfloat16, example(2))
  options = {k: rounded_to_bfloat16(v) for k, v in OPTIONS[option].items()}
  capsules, couplings = route(
    entry, inputs, kernel, dtype=jnp.bfloat16, **options
  )
  expected = reference.route(inputs, kernel, **options)
  # Votes, couplings, weighted sum and logits are each rounded to half an eps of
  # their size; the logits, the largest of them, add up over iterations.
  last = reference.iterations(
    reference.compute_votes(inputs[0], kernel), **options
  )[-1]
  size = max(1, np.max(np.abs(last.routing_logits)))
  tolerance = 2 * size * float(jnp.finfo(jnp.bfloat16).eps)
  np.testing.assert_allclose(capsules, expected[0], atol=tolerance)
  np.testing.assert_allclose(couplings, expected[1], atol=tolerance)


@none_or_all
@each_entry
def test_the_plain_call_equals_jit(entry, option):
  inputs, kernel = example(2)
  # Without couplings, to show that asking for them changes nothing.
  capsules = ENTRIES[entry](
    as_jax(inputs), as_jax(kernel), **options_as_jax(OPTIONS[option])
  )
  jitted, _ = route(entry, inputs, kernel, **OPTIONS[option])
  np.testing.assert_allclose(capsules, jitted, atol=1e-6)


@pytest.mark.parametrize(
  'transform', [jax.vmap, jax.pmap], ids=['vmap', 'pmap']
)
@none_or_all
@each_entry
def test_vmap_and_pmap_equal_the_plain_call(entry, option, transform):
  inputs, kernel = example(2)
  function = functools.partial(
    ENTRIES[entry], return_couplings=True, **options_as_jax(OPTIONS[option])
  )
  # One example per lane or device.
  mapped = transform(function, in_axes=(0, None), out_axes=(0, 1))
  if transform is jax.vmap:
    mapped = jax.jit(mapped)
  found = mapped(as_jax(inputs), as_jax(kernel))
  expected = route(entry, inputs, kernel, **OPTIONS[option])
  for array, other in zip(found, expected, strict=True):
    np.testing.assert_allclose(np.asarray(array), other, atol=1e-6)


@each_option
@each_entry
def test_couplings_sum_to_one_over_the_parents(entry, option):
  options = OPTIONS[option]
  _, couplings = route(entry, *example(2), **options)
  num_iterations = options.get('num_iterations', 3)
  assert couplings.shape == (num_iterations, 2, IN_CAPS, OUT_CAPS)
  assert np.all(couplings >= 0)
  sums = np.sum(couplings, -1)
  if options.get('leaky'):
    assert np.all(sums < 1)
  else:
    np.testing.assert_allclose(sums, 1, atol=1e-6)
  if num_iterations > 1:  # agreement moves them, for each example differently
    assert np.ptp(couplings[-1], axis=-1).min() > 0.01
    assert np.abs(couplings[-1, 0] - couplings[-1, 1]).max() > 0.1


@each_entry
def test_one_iteration_is_the_uniform_mean(entry):
  inputs, kernel = example(2)
  capsules, couplings = route(entry, inputs, kernel, num_iterations=1)
  votes = np.einsum('bid,ijde->bije', inputs, kernel)
  mean = votes.sum(1) / OUT_CAPS
  np.testing.assert_allclose(couplings, 1 / OUT_CAPS, rtol=1e-6)
  np.testing.assert_allclose(capsules, squash_reference.squash(mean), atol=1e-6)


@each_entry
def test_a_leak_takes_one_more_equal_share_at_first(entry):
  inputs, kernel = example()
  _, couplings = route(entry, inputs, kernel, leaky=True)
  np.testing.assert_allclose(couplings[0], 1 / (OUT_CAPS + 1), rtol=1e-6)


@each_entry
def test_a_negligible_leak_equals_no_leak(entry):
  # With logits of 40 the leak's share is below float32's precision.
  inputs, kernel = example(2)
  priors = np.full((IN_CAPS, OUT_CAPS), 40.0)
  leaky = route(entry, inputs, kernel, leaky=True, log_priors=priors)
  tight = route(entry, inputs, kernel)
  np.testing.assert_allclose(leaky[0], tight[0], atol=1e-5)
  np.testing.assert_allclose(leaky[1], tight[1], atol=1e-5)


@each_entry
def test_equal_log_priors_change_nothing(entry):
  inputs, kernel = example(2)
  # A constant per child cancels in its softmax.
  priors = np.repeat(LOG_PRIORS[:, :1], OUT_CAPS, 1)
  moved = route(entry, inputs, kernel, log_priors=priors)
  plain = route(entry, inputs, kernel)
  np.testing.assert_allclose(moved[1], plain[1], atol=1e-5)


@each_option
@each_entry
def test_the_order_of_the_children_changes_nothing(entry, option):
  inputs, kernel = example(2)
  order = np.array([3, 0, 4, 1, 2])
  options = dict(OPTIONS[option])
  expected = route(entry, inputs, kernel, **options)
  if 'log_priors' in options:
    options['log_priors'] = LOG_PRIORS[order]
  permuted = route(entry, inputs[:, order], kernel[order], **options)
  np.testing.assert_allclose(permuted[0], expected[0], atol=1e-5)
  np.testing.assert_allclose(permuted[1], expected[1][:, :, order], atol=1e-5)


@each_option
@each_entry
def test_permuting_the_parents_permutes_the_capsules(entry, option):
  inputs, kernel = example(2)
  order = np.array([2, 0, 1])
  options = dict(OPTIONS[option])
  expected = route(entry, inputs, kernel, **options)
  if 'log_priors' in options:
    options['log_priors'] = LOG_PRIORS[:, order]
  if 'bias' in options:
    options['bias'] = BIAS[order]
  permuted = route(entry, inputs, kernel[:, order], **options)
  np.testing.assert_allclose(permuted[0], expected[0][:, order], atol=1e-5)
  np.testing.assert_allclose(permuted[1], expected[1][..., order], atol=1e-5)


@each_option
@each_entry
def test_rotating_all_votes_rotates_the_capsules(entry, option):
  inputs, kernel = example(2)
  square = np.random.default_rng(3).normal(size=(OUT_DIM, OUT_DIM))
  rotation, _ = np.linalg.qr(square)
  options = dict(OPTIONS[option])
  expected = route(entry, inputs, kernel, **options)
  if 'bias' in options:
    options['bias'] = BIAS @ rotation
  rotated = route(entry, inputs, kernel @ rotation, **options)
  np.testing.assert_allclose(rotated[0], expected[0] @ rotation, atol=1e-5)
  np.testing.assert_allclose(rotated[1], expected[1], atol=1e-5)


@each_entry
def test_examples_of_a_batch_do_not_see_each_other(entry):
  inputs, kernel = example(2)
  together = route(entry, inputs, kernel)
  for b in range(2):
    alone = route(entry, inputs[b], kernel)
    np.testing.assert_allclose(together[0][b], alone[0], atol=1e-6)
    np.testing.assert_allclose(together[1][:, b], alone[1], atol=1e-6)


@each_entry
def test_identical_votes_are_a_fixed_point(entry):
  # Every parent agrees equally, so no iteration changes anything: 6 children
  # share (1, 2, 2) among 3 parents, s = (2, 4, 4), |s| = 6.
  votes = np.tile([1.0, 2.0, 2.0], (6, 3, 1))
  capsules, couplings = route(entry, *kernel_of_votes(votes), num_iterations=5)
  expected = np.tile(36 / 37 * np.array([1, 2, 2]) / 3, (3, 1))
  np.testing.assert_allclose(couplings, 1 / 3, atol=1e-6)
  np.testing.assert_allclose(capsules, expected, atol=1e-6)


@each_entry
def test_votes_that_agree_win_their_children(entry):
  # All children cast the same vote for parent 0; for parent 1, two of them cast
  # opposite votes.
  votes = [[[2, 0], [0, 2]], [[2, 0], [0, -2]], [[2, 0], [2, 0]]]
  _, couplings = route(entry, *kernel_of_votes(votes), num_iterations=4)
  for before, after in zip(couplings, couplings[1:], strict=False):
    assert np.all(after[:2, 0] > before[:2, 0])
  assert np.all(couplings[-1][:2, 0] > 0.9)


@each_option
@each_entry
def test_capsules_are_shorter_than_one(entry, option):
  inputs, kernel = example(2)
  capsules, _ = route(entry, 3 * inputs, kernel, **OPTIONS[option])
  lengths = np.linalg.norm(capsules, axis=-1)
  if option == 'squash_fn':  # nothing bounds lengths without a squash
    assert np.any(lengths > 1)
  else:
    assert np.all(lengths < 1)


@each_entry
def test_extreme_votes_are_routed_without_nan(entry):
  @jax.jit
  def value_and_gradients(inputs, kernel):
    capsules, pull = jax.vjp(ENTRIES[entry], inputs, kernel)
    return capsules, *pull(jnp.ones_like(capsules))

  inputs, kernel = map(as_jax, example(2))
  # 0, where a plain squash gives NaN, and logits too large for a plain exp.
  for size in (0, 1e3):
    found = value_and_gradients(size * inputs, kernel)
    assert all(np.all(np.isfinite(array)) for array in found)
    assert np.any(found[0]) == bool(size)


@each_entry
@pytest.mark.parametrize('num_iterations', [0, -1])
def test_fewer_than_one_iteration_is_refused(entry, num_iterations):
  inputs, kernel = map(as_jax, example())
  with pytest.raises(ValueError, match='num_iterations must be at least 1'):
    ENTRIES[entry](inputs, kernel, num_iterations=num_iterations)


@each_batch
def test_votes_equal_the_reference(batch):
  inputs, kernel = example(*batch)
  votes = ops.compute_votes(as_jax(inputs), as_jax(kernel))
  assert votes.shape == (*batch, IN_CAPS, OUT_CAPS, OUT_DIM)
  for b in np.ndindex(batch):
    expected = reference.compute_votes(inputs[b], kernel)
    np.testing.assert_allclose(votes[b], expected, atol=1e-5)


@pytest.mark.parametrize('leaky', [False, True])
@pytest.mark.parametrize('is_shared', [False, True])
@pytest.mark.parametrize('bias', [None, BIAS], ids=['no_bias', 'bias'])
def test_one_iteration_by_itself_equals_the_reference(leaky, is_shared, bias):
  inputs, kernel = example(2)
  votes = np.einsum('bid,ijde->bije', inputs, kernel)
  logits = np.random.default_rng(4).normal(size=(2, IN_CAPS, OUT_CAPS))
  if is_shared:
    logits[1] = logits[0]
  capsules, couplings, agreement = ops.routing_iteration(
    as_jax(votes),
    as_jax(logits[0] if is_shared else logits),
    leaky=leaky,
    bias=as_jax(bias),
  )
  for b in range(2):
    expected_couplings, expected = reference.weighted_sum(
      votes[b], logits[b], leaky=leaky, bias=bias
    )
    shared = couplings if is_shared else couplings[b]
    np.testing.assert_allclose(shared, expected_couplings, atol=1e-6)
    np.testing.assert_allclose(capsules[b], expected, atol=1e-5)
    np.testing.assert_allclose(
      agreement[b], np.sum(votes[b] * expected, -1), atol=1e-5
    )
