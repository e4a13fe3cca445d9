"""NNX modules give the numbers of their Linen twins, and train."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax import nnx

import capsjax
from capsjax import layers, ops
from capsjax import nnx as capsules_nnx

IMAGES = jnp.asarray(
  np.random.default_rng(0).uniform(size=(6, 12, 12, 1)), jnp.float32
)
TARGETS = jax.nn.one_hot(jnp.arange(6) % 4, 4)
TINY = {
  'num_classes': 4,
  'conv_features': 8,
  'num_types': 2,
  'conv_kernel_size': (3, 3),
  'primary_kernel_size': (3, 3),
  'decoder_sizes': (8,),
}
NORMAL = nn.initializers.normal(0.5)


def paired(linen, module, *inputs):
  """Returns both outputs, with the Linen module's parameters in both."""
  variables = jax.jit(linen.init)(jax.random.key(1), *inputs)
  capsules_nnx.load_params(module, variables['params'])
  return jax.jit(linen.apply)(variables, *inputs), nnx.jit(module)(*inputs)


def assert_same(outputs):
  expected, found = outputs
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected
  )


OPTIONS = {
  'paper': {},
  'official': {
    'use_capsule_bias': True,
    'primary_scale': 0.5,
    'initialization': capsjax.models.OFFICIAL,
  },
  'deep': {'hidden_capsules': ((5, 3),), 'learn_log_priors': True},
  'pairs': {'num_labels': 2, 'matrix_scale': 0.5},
  'no_decoder': {'has_decoder': False},
  'many_pixels': {'max_primary_capsules': 20, 'padding': 'SAME'},
  'one_iteration': {
    'routing_fn': functools.partial(ops.fused_dynamic_routing, num_iterations=1)
  },
  'bfloat16': {'dtype': jnp.bfloat16},
}


@pytest.mark.parametrize('option', OPTIONS)
def test_the_network_equals_the_linen_one(option):
  fields = TINY | OPTIONS[option]
  module = capsules_nnx.CapsNet((12, 12, 1), rngs=nnx.Rngs(0), **fields)
  linen = capsjax.CapsNet(**fields)
  assert_same(paired(linen, module, IMAGES))
  assert_same(paired(linen, module, IMAGES, TARGETS))


def test_the_paper_has_its_parameters():
  state = nnx.eval_shape(
    lambda: nnx.state(capsules_nnx.CapsNet((28, 28, 1), rngs=nnx.Rngs(0)))
  )
  assert sum(p.size for p in jax.tree.leaves(state)) == 8_215_568


def test_layers_equal_the_linen_ones():
  rngs = nnx.Rngs(0)
  convolution = {'strides': (2, 1), 'padding': 'SAME', 'bias_init': NORMAL}
  assert_same(
    paired(
      layers.Convolution(5, (3, 3), **convolution),
      capsules_nnx.Convolution(1, 5, (3, 3), rngs=rngs, **convolution),
      IMAGES,
    )
  )
  primary = {'kernel_size': (3, 3), 'bias_init': NORMAL, 'keep_grid': True}
  assert_same(
    paired(
      layers.PrimaryCapsules(2, 3, **primary),
      capsules_nnx.PrimaryCapsules(1, 2, 3, rngs=rngs, **primary),
      IMAGES,
    )
  )


def test_a_cell_of_any_rank():
  sequences = IMAGES[..., 0]
  cell = nnx.Conv(12, 6, (3,), rngs=nnx.Rngs(0))
  fields = {'cell': cell, 'use_bias': False, 'rngs': nnx.Rngs(0)}
  with pytest.raises(ValueError, match='set num_grid_axes=1'):
    capsules_nnx.PrimaryCapsules(12, 2, 3, **fields)
  layer = capsules_nnx.PrimaryCapsules(12, 2, 3, num_grid_axes=1, **fields)
  assert layer(sequences).shape == (6, 12 * 2, 3)


def test_the_network_takes_a_cell():
  cell = nnx.Conv(8, 16, (3, 3), padding='VALID', rngs=nnx.Rngs(0))
  fields = TINY | {'primary_kernel_size': (9, 9), 'primary_cell': cell}
  module = capsules_nnx.CapsNet((12, 12, 1), rngs=nnx.Rngs(0), **fields)
  assert module(IMAGES).scores.shape == (6, 4)
  with pytest.raises(ValueError, match='primary_strides=.* has no effect'):
    fields |= {'primary_strides': (3, 3)}
    capsules_nnx.CapsNet((12, 12, 1), rngs=nnx.Rngs(0), **fields)


def test_couplings_on_request():
  layer = capsules_nnx.DenseCapsules(7, 3, 4, 5, rngs=nnx.Rngs(0))
  inputs = jnp.ones((2, 7, 3))
  capsules, couplings = layer(inputs, return_couplings=True)
  np.testing.assert_allclose(capsules, layer(inputs), atol=1e-6)
  assert couplings.shape == (3, 2, 7, 4)


def test_the_network_trains():
  model = capsules_nnx.CapsNet((12, 12, 1), rngs=nnx.Rngs(0), **TINY)
  optimizer = nnx.Optimizer(model, optax.adam(1e-2), wrt=nnx.Param)

  @nnx.jit
  def step(model, optimizer):
    def loss_fn(model):
      output = model(IMAGES, TARGETS)
      margin = capsjax.margin_loss(output.scores, TARGETS)
      pixels = capsjax.reconstruction_loss(output.reconstructions, IMAGES)
      return jnp.mean(margin + 0.0005 * pixels)

    loss, gradients = nnx.value_and_grad(loss_fn)(model)
    optimizer.update(model, gradients)
    return loss

  # optax's Adam multiplies integers by floats.
  with jax.numpy_dtype_promotion('standard'):
    losses = [float(step(model, optimizer)) for _ in range(5)]
  assert losses == sorted(losses, reverse=True)
  assert losses[-1] < 0.9 * losses[0]


def test_other_parameters_are_refused():
  module = capsules_nnx.CapsNet((12, 12, 1), rngs=nnx.Rngs(0), **TINY)
  linen = capsjax.CapsNet(**TINY | {'num_classes': 3})
  params = jax.jit(linen.init)(jax.random.key(0), IMAGES)['params']
  message = r'class_capsules/kernel has the shape \(\d+, 4, 8, 16\) in the'
  with pytest.raises(ValueError, match=message):
    capsules_nnx.load_params(module, params)


def test_the_linen_network_works_through_flax_s_bridge():
  model = nnx.bridge.ToNNX(capsjax.CapsNet(**TINY), rngs=nnx.Rngs(0))
  model.lazy_init(IMAGES)
  assert model(IMAGES).reconstructions.shape == IMAGES.shape
