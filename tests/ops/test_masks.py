"""Masks that choose which class capsules to decode."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from tests.reference import masks as reference

each_batch = pytest.mark.parametrize('batch', [(), (4,), (2, 3)])


def some_lengths(*batch):
  rng = np.random.default_rng(0)
  return rng.uniform(size=(*batch, 5)).astype(np.float32)


@each_batch
def test_label_mask_equals_the_reference(batch):
  labels = np.random.default_rng(1).integers(0, 5, batch)
  mask = ops.label_mask(jnp.asarray(labels), num_classes=5)
  assert mask.dtype == jnp.float32
  np.testing.assert_array_equal(
    mask, reference.label_mask(labels, num_classes=5)
  )


@each_batch
@pytest.mark.parametrize('k', [1, 2, 5])
def test_top_k_mask_equals_the_reference(batch, k):
  lengths = some_lengths(*batch)
  mask = ops.top_k_mask(jnp.asarray(lengths), k=k)
  assert mask.dtype == jnp.float32
  np.testing.assert_array_equal(mask, reference.top_k_mask(lengths, k=k))


@each_batch
def test_longest_mask_is_the_top_1(batch):
  lengths = some_lengths(*batch)
  np.testing.assert_array_equal(
    ops.longest_mask(jnp.asarray(lengths)), reference.top_k_mask(lengths, k=1)
  )


@pytest.mark.parametrize(
  ('lengths', 'k', 'expected'),
  [
    ([0.5, 0.5, 0.5], 1, [1, 0, 0]),
    ([0.5, 0.5, 0.5], 2, [1, 1, 0]),
    ([0.1, 0.7, 0.2, 0.7], 1, [0, 1, 0, 0]),
    ([0.1, 0.7, 0.2, 0.7], 2, [0, 1, 0, 1]),
    ([0.2, 0.7, 0.2, 0.2], 2, [1, 1, 0, 0]),
    ([0.0, 0.0], 1, [1, 0]),
  ],
)
def test_of_equal_lengths_the_first_wins(lengths, k, expected):
  lengths = jnp.array(lengths)
  np.testing.assert_array_equal(ops.top_k_mask(lengths, k=k), expected)
  if k == 1:
    np.testing.assert_array_equal(ops.longest_mask(lengths), expected)


def test_masks_of_bfloat16_lengths():
  lengths = jnp.asarray(some_lengths(4), jnp.bfloat16)
  expected = reference.top_k_mask(np.asarray(lengths).astype(np.float32), k=2)
  np.testing.assert_array_equal(ops.top_k_mask(lengths, k=2), expected)


@each_batch
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_mask_capsules_equals_the_reference(batch, dtype):
  rng = np.random.default_rng(2)
  capsules = jnp.asarray(rng.normal(size=(*batch, 5, 3)), dtype)
  mask = reference.top_k_mask(some_lengths(*batch), k=2)
  masked = ops.mask_capsules(capsules, jnp.asarray(mask))
  assert masked.dtype == dtype
  np.testing.assert_array_equal(
    np.asarray(masked), reference.mask_capsules(np.asarray(capsules), mask)
  )


def test_only_capsules_that_are_kept_have_a_gradient():
  capsules = jnp.ones((2, 3, 4))
  mask = jnp.array([[0.0, 1.0, 0.0], [1.0, 0.0, 1.0]])
  gradient = jax.grad(lambda c: jnp.sum(ops.mask_capsules(c, mask)))(capsules)
  np.testing.assert_array_equal(gradient, np.repeat(mask[..., None], 4, -1))
