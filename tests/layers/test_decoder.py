"""The decoder: fully connected layers to pixels in [0, 1]."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax import layers
from tests.layers import running

CAPSULES = jnp.asarray(
  np.random.default_rng(0).normal(size=(2, 3, 4)), jnp.float32
)


def decoder(**fields):
  return layers.Decoder((5, 6, 2), hidden_sizes=(7, 8), **fields)


def test_it_equals_a_loop_over_the_layers():
  module = decoder(bias_init=nn.initializers.normal(1.0))
  variables = running.init(module, CAPSULES)
  images = running.apply(module, variables, CAPSULES)
  hidden = np.asarray(CAPSULES).reshape(2, 12)
  *hidden_layers, last = variables['params'].values()
  assert [p['kernel'].shape for p in hidden_layers] == [(12, 7), (7, 8)]
  for params in hidden_layers:
    hidden = np.maximum(0, hidden @ params['kernel'] + params['bias'][None])
  pixels = 1 / (1 + np.exp(-(hidden @ last['kernel'] + last['bias'][None])))
  np.testing.assert_allclose(images, pixels.reshape(2, 5, 6, 2), atol=1e-5)


def test_the_defaults_are_the_papers():
  shape = jax.ShapeDtypeStruct((1, 10, 16), jnp.float32)
  images, variables = jax.eval_shape(
    layers.Decoder((28, 28, 1)).init_with_output, jax.random.key(0), shape
  )
  assert images.shape == (1, 28, 28, 1)
  assert sum(p.size for p in jax.tree.leaves(variables)) == 1_411_344


@pytest.mark.parametrize('batch', [(), (2, 3)])
def test_any_number_of_batch_axes(batch):
  capsules = jnp.ones((*batch, 3, 4))
  images = jax.eval_shape(
    decoder().init_with_output, jax.random.key(0), capsules
  )
  assert images[0].shape == (*batch, 5, 6, 2)


def test_dtypes_of_computation_and_parameters():
  images, variables = jax.eval_shape(
    decoder(dtype=jnp.bfloat16).init_with_output, jax.random.key(0), CAPSULES
  )
  assert images.dtype == jnp.bfloat16
  assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
