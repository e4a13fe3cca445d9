"""Primary capsules: their order, their parameters, their replaceable cell."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax import layers
from tests.layers import running
from tests.ops.routing_cases import halve
from tests.reference import convolution as convolution_reference
from tests.reference import squash as squash_reference

NUM_TYPES, CAPSULE_DIM = 3, 2
IMAGES = jnp.asarray(
  np.random.default_rng(0).normal(size=(2, 7, 8, 4)), jnp.float32
)


NORMAL = nn.initializers.normal(1.0)


def layer(**fields):
  defaults = {'kernel_size': (3, 3), 'bias_init': NORMAL}
  return layers.PrimaryCapsules(NUM_TYPES, CAPSULE_DIM, **defaults | fields)


def shapes(variables):
  return jax.tree.map(np.shape, variables['params'])


def expected(variables, *, scale=1.0, padding='VALID', strides=(2, 2)):
  """Computes capsules ordered by position and then by type."""
  params = variables['params']
  maps = convolution_reference.convolution(
    np.asarray(IMAGES),
    np.asarray(params['cell']['kernel']),
    strides=strides,
    padding=padding,
  )
  bias = np.asarray(params.get('bias', np.zeros((NUM_TYPES, CAPSULE_DIM))))
  found = []
  for b, y, x in np.ndindex(maps.shape[:3]):
    for t in range(NUM_TYPES):
      features = maps[b, y, x, t * CAPSULE_DIM : (t + 1) * CAPSULE_DIM]
      found.append(squash_reference.squash_vector(scale * features + bias[t]))
  return np.array(found).reshape(len(IMAGES), -1, CAPSULE_DIM)


@pytest.mark.parametrize(
  'fields',
  [
    {},
    {'scale': 1 / NUM_TYPES},
    {'padding': 'SAME'},
    {'strides': (1, 3)},
  ],
  ids=lambda fields: '-'.join(fields) or 'paper',
)
def test_capsules_equal_the_reference(fields):
  module = layer(**fields)
  variables = running.init(module, IMAGES)
  capsules = running.apply(module, variables, IMAGES)
  np.testing.assert_allclose(capsules, expected(variables, **fields), atol=1e-5)


def test_parameters_have_the_names_and_shapes_of_the_documentation():
  assert shapes(running.init(layer(), IMAGES)) == {
    'cell': {'kernel': (3, 3, 4, NUM_TYPES * CAPSULE_DIM)},
    'bias': (NUM_TYPES, CAPSULE_DIM),
  }


def test_without_a_bias_there_is_no_parameter_for_it():
  module = layer(use_bias=False)
  variables = running.init(module, IMAGES)
  assert set(variables['params']) == {'cell'}
  np.testing.assert_allclose(
    running.apply(module, variables, IMAGES), expected(variables), atol=1e-5
  )


def test_the_defaults_are_the_papers():
  shape = jax.ShapeDtypeStruct((1, 20, 20, 256), jnp.float32)
  capsules, variables = jax.eval_shape(
    layers.PrimaryCapsules().init_with_output, jax.random.key(0), shape
  )
  assert capsules.shape == (1, 6 * 6 * 32, 8)
  assert shapes(variables) == {
    'cell': {'kernel': (9, 9, 256, 256)},
    'bias': (32, 8),
  }


def test_images_need_no_batch_axis_and_may_have_two():
  module = layer()
  variables = running.init(module, IMAGES)
  capsules = running.apply(module, variables, IMAGES)
  one = running.apply(module, variables, IMAGES[1])
  two = running.apply(module, variables, IMAGES[:, None])
  np.testing.assert_allclose(one, capsules[1], atol=1e-6)
  np.testing.assert_allclose(two, capsules[:, None], atol=1e-6)


def test_the_grid_can_be_kept():
  variables = running.init(layer(), IMAGES)
  capsules = running.apply(layer(), variables, IMAGES)
  grid = running.apply(layer(keep_grid=True), variables, IMAGES)
  assert grid.shape == (2, 3, 3, NUM_TYPES, CAPSULE_DIM)
  np.testing.assert_array_equal(capsules, grid.reshape(capsules.shape))


@pytest.mark.parametrize('rank', [1, 3])
@pytest.mark.parametrize('batch', [(), (2,), (0,), (2, 3)])
def test_sequences_and_volumes_have_a_cell_of_their_rank(rank, batch):
  cell = nn.Conv(NUM_TYPES * CAPSULE_DIM, (3,) * rank, padding='VALID')
  module = layer(cell=cell, num_grid_axes=rank)
  inputs = jnp.ones((*batch, *[5] * rank, 4))
  capsules = jax.eval_shape(
    lambda: module.init_with_output(jax.random.key(0), inputs)[0]
  )
  assert capsules.shape == (*batch, 3**rank * NUM_TYPES, CAPSULE_DIM)


@pytest.mark.parametrize('rank', [1, 3])
def test_a_cell_of_another_rank_is_refused(rank):
  """It would take the batch for a part of the grid, or the other way round."""
  module = layer(cell=nn.Conv(NUM_TYPES * CAPSULE_DIM, (3,) * rank))
  with pytest.raises(ValueError, match=f'set num_grid_axes={rank}'):
    module.init(jax.random.key(0), jnp.ones((2, *[5] * rank, 4)))


class Channels(nn.Module):
  """A cell without any convolution: a linear map at every second pixel."""

  features: int

  @nn.compact
  def __call__(self, images):
    return nn.Dense(self.features)(images[..., ::2, ::2, :])


@pytest.mark.parametrize(
  ('cell', 'num_positions'),
  [
    (Channels(NUM_TYPES * CAPSULE_DIM), 4 * 4),
    (nn.Conv(NUM_TYPES * CAPSULE_DIM, (2, 2), padding='VALID'), 6 * 7),
    (
      nn.Sequential((nn.Dense(5), nn.relu, nn.Dense(NUM_TYPES * CAPSULE_DIM))),
      7 * 8,
    ),
  ],
  ids=['custom', 'conv', 'sequential'],
)
def test_any_module_can_be_the_cell(cell, num_positions):
  module = layer(cell=cell)
  variables = running.init(module, IMAGES)
  capsules = running.apply(module, variables, IMAGES)
  assert capsules.shape == (2, num_positions * NUM_TYPES, CAPSULE_DIM)
  params = variables['params']
  maps = running.apply(cell, {'params': params['cell']}, IMAGES)
  maps = np.asarray(maps).reshape(2, num_positions, NUM_TYPES, CAPSULE_DIM)
  biased = (maps + np.asarray(params['bias'])).reshape(capsules.shape)
  np.testing.assert_allclose(
    capsules, squash_reference.squash(biased), atol=1e-5
  )


@pytest.mark.parametrize('features', [5, 7, 12])
def test_a_cell_with_other_channels_is_refused(features):
  module = layer(cell=Channels(features))
  message = rf'num_types \* capsule_dim = 6 channels, not {features}'
  with pytest.raises(ValueError, match=message):
    module.init(jax.random.key(0), IMAGES)


def test_the_squash_can_be_replaced():
  module = layer(squash_fn=halve)
  variables = running.init(module, IMAGES)
  squashed = running.apply(layer(), variables, IMAGES)
  np.testing.assert_allclose(
    squash_reference.squash(
      2 * np.asarray(running.apply(module, variables, IMAGES))
    ),
    squashed,
    atol=1e-5,
  )


def test_dtypes_of_computation_and_parameters():
  module = layer(dtype=jnp.bfloat16)
  variables = running.init(module, IMAGES)
  capsules = running.apply(module, variables, IMAGES)
  assert capsules.dtype == jnp.bfloat16
  assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  np.testing.assert_allclose(
    capsules.astype(jnp.float32), expected(variables), atol=0.02
  )
