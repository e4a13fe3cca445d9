"""The convolutional layer: `nn.Conv`, computed another way."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax import layers
from tests.layers import running

IMAGES = jnp.asarray(
  np.random.default_rng(0).normal(size=(2, 7, 8, 3)), jnp.float32
)

NORMAL = nn.initializers.normal(1.0)


@pytest.mark.parametrize(
  ('padding', 'use_bias'), [('VALID', True), ('SAME', False)]
)
def test_it_equals_flax_with_the_same_parameters(padding, use_bias):
  options = {
    'strides': (2, 1),
    'padding': padding,
    'use_bias': use_bias,
    'bias_init': NORMAL,
  }
  ours = layers.Convolution(4, (3, 2), **options)
  theirs = nn.Conv(4, (3, 2), **options)
  variables = running.init(theirs, IMAGES)
  found = running.init(ours, IMAGES)
  # The same names and shapes, and the same numbers from the same key.
  jax.tree.map(np.testing.assert_array_equal, found, variables)
  np.testing.assert_allclose(
    running.apply(ours, variables, IMAGES),
    running.apply(theirs, variables, IMAGES),
    atol=1e-5,
  )


def test_images_need_no_batch_axis_and_may_have_two():
  layer = layers.Convolution(4, (3, 3))
  variables = running.init(layer, IMAGES)
  outputs = running.apply(layer, variables, IMAGES)
  one = running.apply(layer, variables, IMAGES[1])
  two = running.apply(layer, variables, IMAGES[:, None])
  np.testing.assert_allclose(one, outputs[1], atol=1e-6)
  np.testing.assert_allclose(two, outputs[:, None], atol=1e-6)


def test_dtypes_of_computation_and_parameters():
  layer = layers.Convolution(4, (3, 3), dtype=jnp.bfloat16)
  variables = running.init(layer, IMAGES)
  outputs = running.apply(layer, variables, IMAGES)
  assert outputs.dtype == jnp.bfloat16
  assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  # By default it is the images' dtype.
  layer = layers.Convolution(4, (3, 3))
  images = IMAGES.astype(jnp.bfloat16)
  assert running.apply(layer, variables, images).dtype == jnp.bfloat16
  layer = layers.Convolution(4, (3, 3), param_dtype=jnp.bfloat16)
  variables = jax.eval_shape(layer.init, jax.random.key(0), IMAGES)
  assert {p.dtype for p in jax.tree.leaves(variables)} == {
    jnp.dtype('bfloat16')
  }
