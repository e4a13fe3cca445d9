"""Routed capsule layers: parameters, stacking, replaceable routing, NNX."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax.nnx import bridge

from capsjax import layers, ops
from tests.layers import running
from tests.reference import routing as reference

IN_CAPS, IN_DIM, NUM_CAPSULES, CAPSULE_DIM = 5, 2, 3, 4
INPUTS = jnp.asarray(
  np.random.default_rng(0).normal(size=(2, IN_CAPS, IN_DIM)), jnp.float32
)


NORMAL = nn.initializers.normal(1.0)


def layer(**fields):
  defaults = {'kernel_init': NORMAL, 'bias_init': NORMAL}
  return layers.DenseCapsules(NUM_CAPSULES, CAPSULE_DIM, **defaults | fields)


def routed(inputs, kernel, **options):
  return reference.route(np.asarray(inputs), np.asarray(kernel), **options)


def test_it_is_three_iterations_of_dynamic_routing():
  module = layer()
  variables = running.init(module, INPUTS)
  capsules = running.apply(module, variables, INPUTS)
  expected, _ = routed(INPUTS, variables['params']['kernel'])
  np.testing.assert_allclose(capsules, expected, atol=1e-5)


@pytest.mark.parametrize('use_bias', [False, True])
@pytest.mark.parametrize('learn_log_priors', [False, True])
def test_parameters_exist_only_when_asked_for(use_bias, learn_log_priors):
  module = layer(use_bias=use_bias, learn_log_priors=learn_log_priors)
  variables = jax.eval_shape(module.init, jax.random.key(0), INPUTS)
  expected = {'kernel': (IN_CAPS, NUM_CAPSULES, IN_DIM, CAPSULE_DIM)}
  if use_bias:
    expected['bias'] = (NUM_CAPSULES, CAPSULE_DIM)
  if learn_log_priors:
    expected['log_priors'] = (IN_CAPS, NUM_CAPSULES)
  assert jax.tree.map(lambda p: p.shape, variables['params']) == expected


def test_bias_and_log_priors_are_those_of_the_routing():
  module = layer(use_bias=True, learn_log_priors=True)
  params = dict(running.init(module, INPUTS)['params'])
  np.testing.assert_array_equal(params['log_priors'], 0)
  params['log_priors'] = jax.random.normal(
    jax.random.key(1), (IN_CAPS, NUM_CAPSULES)
  )
  capsules = running.apply(module, {'params': params}, INPUTS)
  options = {name: np.asarray(params[name], np.float64) for name in params}
  expected, _ = routed(INPUTS, options.pop('kernel'), **options)
  np.testing.assert_allclose(capsules, expected, atol=1e-5)


@pytest.mark.parametrize('num_iterations', [1, 4])
def test_couplings_can_be_read(num_iterations):
  routing_fn = functools.partial(
    ops.fused_dynamic_routing, num_iterations=num_iterations
  )
  module = layer(routing_fn=routing_fn)
  variables = running.init(module, INPUTS)
  assert set(variables) == {'params'}, 'nothing is sown while initialising'
  plain = running.apply(module, variables, INPUTS)
  capsules, state = running.apply(
    module, variables, INPUTS, mutable='intermediates'
  )
  (couplings,) = state['intermediates']['couplings']
  _, expected = routed(
    INPUTS, variables['params']['kernel'], num_iterations=num_iterations
  )
  np.testing.assert_allclose(couplings, expected, atol=1e-5)
  np.testing.assert_allclose(capsules, plain, atol=1e-6)


class Stack(nn.Module):
  """Three capsule layers, the last two fed by routed capsules."""

  @nn.compact
  def __call__(self, capsules):
    for num_capsules, capsule_dim in ((6, 3), (4, 5), (2, 7)):
      capsules = layers.DenseCapsules(num_capsules, capsule_dim)(capsules)
    return capsules


def test_layers_stack_to_any_depth():
  variables = running.init(Stack(), INPUTS)
  capsules, state = running.apply(
    Stack(), variables, INPUTS, mutable='intermediates'
  )
  assert capsules.shape == (2, 2, 7)
  kernels = [p['kernel'].shape for p in variables['params'].values()]
  assert kernels == [(5, 6, 2, 3), (6, 4, 3, 5), (4, 2, 5, 7)]
  sown = [s['couplings'][0].shape for s in state['intermediates'].values()]
  assert sown == [(3, 2, 5, 6), (3, 2, 6, 4), (3, 2, 4, 2)]
  expected = INPUTS
  for params in variables['params'].values():
    expected, _ = routed(expected, params['kernel'])
  np.testing.assert_allclose(capsules, expected, atol=1e-5)


@pytest.mark.parametrize('is_read', [False, True])
@pytest.mark.parametrize('use_all', [False, True])
def test_the_routing_can_be_any_callable(is_read, use_all):
  calls = []

  def routing_fn(inputs, kernel, **options):
    calls.append(options)
    capsules = jnp.einsum('...id,ijde->...je', inputs, kernel)
    couplings = jnp.full((1, 2, IN_CAPS, NUM_CAPSULES), 7.0)
    return (capsules, couplings) if options['return_couplings'] else capsules

  module = layer(
    routing_fn=routing_fn, use_bias=use_all, learn_log_priors=use_all
  )
  variables = module.init(jax.random.key(0), INPUTS)
  capsules = module.apply(
    variables, INPUTS, mutable=['intermediates'] if is_read else False
  )
  if is_read:
    capsules, state = capsules
    assert np.all(state['intermediates']['couplings'][0] == 7)
  params = variables['params']
  np.testing.assert_allclose(
    capsules, np.einsum('bid,ijde->bje', INPUTS, params['kernel']), atol=1e-5
  )
  options = calls[-1]
  assert set(options) == {'bias', 'log_priors', 'return_couplings'}
  assert options['return_couplings'] == is_read
  for name in ('bias', 'log_priors'):
    if use_all:
      np.testing.assert_array_equal(options[name], params[name])
    else:
      assert options[name] is None


def test_capsules_need_no_batch_axis_and_may_have_two():
  module = layer(use_bias=True)
  variables = running.init(module, INPUTS)
  apply = functools.partial(running.apply, module)
  capsules = apply(variables, INPUTS)
  np.testing.assert_allclose(
    apply(variables, INPUTS[1]), capsules[1], atol=1e-6
  )
  np.testing.assert_allclose(
    apply(variables, INPUTS[:, None]), capsules[:, None], atol=1e-6
  )


def test_dtypes_of_computation_and_parameters():
  module = layer(dtype=jnp.bfloat16, use_bias=True, learn_log_priors=True)
  variables = running.init(module, INPUTS)
  capsules = running.apply(module, variables, INPUTS)
  assert capsules.dtype == jnp.bfloat16
  assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  wide = layer(use_bias=True, learn_log_priors=True)
  exact = running.apply(wide, variables, INPUTS)
  np.testing.assert_allclose(
    capsules.astype(jnp.float32), exact, atol=8 * jnp.finfo(jnp.bfloat16).eps
  )
  module = layer(param_dtype=jnp.bfloat16)
  variables = jax.eval_shape(module.init, jax.random.key(0), INPUTS)
  assert variables['params']['kernel'].dtype == jnp.bfloat16


def test_an_nnx_model_can_use_it():
  linen = layer(use_bias=True)

  class Model(nnx.Module):
    def __init__(self, rngs):
      self.linear = nnx.Linear(IN_DIM, IN_DIM, rngs=rngs)
      self.capsules = bridge.ToNNX(linen, rngs=rngs).lazy_init(INPUTS)

    def __call__(self, inputs):
      return self.capsules(self.linear(inputs))

  @nnx.jit
  def capsules_and_gradients(model):
    def loss(model):
      capsules = model(INPUTS)
      return jnp.sum(capsules), capsules

    gradients, capsules = nnx.grad(loss, has_aux=True)(model)
    return capsules, gradients

  model = Model(nnx.Rngs(0))
  capsules, gradients = capsules_and_gradients(model)
  params = {
    name: getattr(model.capsules, name)[...] for name in ('kernel', 'bias')
  }
  expected = running.apply(linen, {'params': params}, model.linear(INPUTS))
  np.testing.assert_allclose(capsules, expected, atol=1e-6)
  leaves = jax.tree.leaves(gradients)
  assert len(leaves) == 4  # kernel and bias of both
  assert all(np.all(np.isfinite(g)) and np.any(g != 0) for g in leaves)
