"""Ops and networks are exported with a batch of any size, for all platforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import capsjax
from tests.models.networks import NETWORKS

RNG = np.random.default_rng(0)
PLATFORMS = ['cpu', 'cuda', 'tpu']


def normal(*shape):
  return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def exported(function, *arguments):
  """Exports a function of arguments whose first one has a batch of any size."""
  (size,) = export.symbolic_shape('size')
  first, *others = arguments
  shapes = [
    jax.ShapeDtypeStruct((size, *first.shape[1:]), first.dtype),
    *jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), others),
  ]
  return export.export(jax.jit(function), platforms=PLATFORMS)(*shapes).call


def gradients(inputs, kernel):
  def loss(inputs, kernel):
    return jnp.sum(jnp.sin(capsjax.fused_dynamic_routing(inputs, kernel)))

  return jax.grad(loss, argnums=(0, 1))(inputs, kernel)


def strided(inputs, kernel):
  return capsjax.convolution(inputs, kernel, strides=(2, 2), padding='VALID')


CASES = {
  'routing': (
    capsjax.fused_dynamic_routing,
    *(normal(3, 12, 4), normal(12, 5, 4, 6)),
  ),
  'gradients of routing': (gradients, normal(3, 12, 4), normal(12, 5, 4, 6)),
  'convolution': (strided, normal(3, 14, 14, 8), normal(9, 9, 8, 16)),
}


def assert_close(found, expected):
  # The method, and with it the rounding, may be that of another batch.
  scale = np.abs(expected).max()
  np.testing.assert_allclose(found, expected, atol=1e-5 * scale)


def assert_same(call, function, arguments):
  first, *others = arguments
  for count in (1, 3):
    found = call(first[:count], *others)
    expected = jax.jit(function)(first[:count], *others)
    jax.tree.map(assert_close, found, expected)


@pytest.mark.parametrize('case', CASES)
def test_an_op_is_exported(case):
  function, *arguments = CASES[case]
  assert_same(exported(function, *arguments), function, arguments)


@pytest.mark.parametrize('name', NETWORKS)
def test_a_network_is_exported(name):
  model = NETWORKS[name]
  images = jnp.asarray(RNG.uniform(size=(3, 12, 12, 1)), jnp.float32)
  variables = jax.jit(model.init)(jax.random.key(0), images)

  def apply(images, variables):
    return model.apply(variables, images).scores

  assert_same(exported(apply, images, variables), apply, (images, variables))
