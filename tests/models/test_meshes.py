"""Networks train on two devices, as a mesh of any type shares the batch."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from tests.models.networks import NETWORKS

IMAGES = np.random.default_rng(0).uniform(size=(4, 12, 12, 1))
BATCH, REPLICATED = PartitionSpec('devices'), PartitionSpec()


@functools.cache
def variables_of(name):
  model = NETWORKS[name]
  return jax.jit(model.init)(jax.random.key(0), images())


def images():
  return jnp.asarray(IMAGES, jnp.float32)


def value_and_gradient(name, total=lambda loss: loss):
  def loss(variables, batch):
    output = NETWORKS[name].apply(variables, batch)
    return total(jnp.sum(jnp.square(output.scores)))

  return jax.value_and_grad(loss)


def assert_as_on_one_device(name, found):
  expected = jax.jit(value_and_gradient(name))(variables_of(name), images())
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4),
    jax.device_get(found),
    jax.device_get(expected),
  )


@pytest.mark.parametrize('axis_type', [AxisType.Auto, AxisType.Explicit])
@pytest.mark.parametrize('name', NETWORKS)
def test_a_batch_on_a_mesh(name, axis_type):
  mesh = jax.make_mesh((2,), ('devices',), axis_types=(axis_type,))
  with jax.set_mesh(mesh):
    batch = jax.device_put(images(), NamedSharding(mesh, BATCH))
    variables = jax.device_put(
      variables_of(name), NamedSharding(mesh, REPLICATED)
    )
    found = jax.jit(value_and_gradient(name))(variables, batch)
  assert_as_on_one_device(name, found)


@pytest.mark.parametrize('name', NETWORKS)
def test_a_batch_in_shard_map(name):
  mesh = jax.make_mesh((2,), ('devices',), axis_types=(AxisType.Auto,))
  total = functools.partial(jax.lax.psum, axis_name='devices')
  shared = jax.shard_map(
    value_and_gradient(name, total),
    mesh=mesh,
    in_specs=(REPLICATED, BATCH),
    out_specs=REPLICATED,
  )
  assert_as_on_one_device(name, jax.jit(shared)(variables_of(name), images()))
