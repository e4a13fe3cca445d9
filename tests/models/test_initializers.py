import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax.models import CapsNet
from capsjax.models.initializers import capsule_normal


def test_for_the_papers_capsules_it_is_the_official_deviation():
  shape, key = (1152, 10, 8, 16), jax.random.key(0)
  np.testing.assert_array_equal(
    capsule_normal(key, shape), nn.initializers.normal(0.1)(key, shape)
  )


@pytest.mark.parametrize('in_caps', [16, 1152, 4608])
def test_the_sum_of_the_votes_is_as_large_for_any_number_of_them(in_caps):
  kernel = capsule_normal(jax.random.key(1), (in_caps, 10, 8, 16))
  inputs = np.random.default_rng(0).standard_normal((in_caps, 8)) / 8
  sums = np.einsum('id,ijde->je', inputs, np.asarray(kernel, np.float64))
  # Sums of 1152 x 8 products with standard deviations 1 / 8 and 0.1.
  assert np.std(sums) == pytest.approx(np.sqrt(1152 * 8) / 80, rel=0.2)


@pytest.mark.parametrize('size', [28, 48])
def test_capsules_begin_where_squash_has_a_slope(size):
  model = CapsNet(conv_features=8, has_decoder=False)
  rng = np.random.default_rng(0)
  # Strokes, as in a digit: a tenth of the pixels.
  pixels = rng.random((4, size, size, 1)) < 0.1
  images = jnp.asarray(pixels, jnp.float32)
  found, _ = jax.jit(model.init_with_output)(jax.random.key(0), images)
  assert 0.02 < found.scores.mean() < 0.5
