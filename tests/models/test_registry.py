"""Models by name, their parameter counts, and mistakes in their fields."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from capsjax.errors import UserError
from capsjax.models import (
  CapsNet,
  create_model,
  initializers,
  registry,
)

# Name, fields, image shape, number of parameters. The counts are plain
# arithmetic; the paper rounds them (8.2M, 6.8M, 35.4M, 11.36M, 24.56M).
GOLDEN = {
  'capsnet': ('capsnet', {}, (28, 28, 1), 8_215_568),
  'capsnet_encoder': (
    'capsnet',
    {'has_decoder': False},
    (28, 28, 1),
    6_804_224,
  ),
  'capsnet_encoder_with_bias': (
    'capsnet',
    {'has_decoder': False, 'use_capsule_bias': True},
    (28, 28, 1),
    6_804_384,
  ),
  'capsnet_multimnist': ('capsnet', {}, (36, 36, 1), 11_361_808),
  'capsnet_multimnist_with_bias': (
    'capsnet',
    {'use_capsule_bias': True},
    (36, 36, 1),
    11_361_968,
  ),
  'capsnet_learned_priors': (
    'capsnet',
    {'learn_log_priors': True},
    (28, 28, 1),
    8_215_568 + 1152 * 10,
  ),
  'efficient_capsnet': (
    'efficient_capsnet',
    {'has_decoder': False},
    (28, 28, 1),
    161_824,
  ),
  'efficient_capsnet_with_decoder': (
    'efficient_capsnet',
    {},
    (28, 28, 1),
    161_824 + 8_215_568 - 6_804_224,
  ),
  'matrix_capsules': (
    'matrix_capsules',
    {'num_classes': 5},
    (32, 32, 2),
    316_650,
  ),
  'matrix_capsules_small': (
    'matrix_capsules',
    {
      'num_classes': 5,
      'conv_features': 64,
      'num_types': 8,
      'capsule_types': (16, 16),
    },
    (32, 32, 2),
    68_618,
  ),
  'vb_capsules': (
    'vb_capsules',
    {
      'num_classes': 5,
      'conv_features': 64,
      'num_types': 8,
      'capsule_types': (16, 16),
    },
    (32, 32, 2),
    68_714,
  ),
  'baseline': ('baseline', {}, (28, 28, 1), 35_445_522),
  'baseline_multimnist': (
    'baseline',
    {
      'conv_features': (512, 256),
      'conv_kernel_sizes': (9, 5),
      'pool_size': 2,
      'dense_sizes': (1024,),
    },
    (36, 36, 1),
    24_563_978,
  ),
}

# Collections besides the parameters, by model.
STATISTICS = dict.fromkeys(
  ('efficient_capsnet', 'vb_capsules'), ('batch_stats',)
)
HAS_DECODER = ('capsnet', 'efficient_capsnet')


def shapes(model, image_shape, batch=2):
  images = jax.ShapeDtypeStruct((batch, *image_shape), jnp.float32)
  return jax.eval_shape(model.init_with_output, jax.random.key(0), images)


@pytest.mark.parametrize('key', GOLDEN)
def test_number_of_parameters(key):
  name, fields, image_shape, expected = GOLDEN[key]
  outputs, variables = shapes(create_model(name, **fields), image_shape)
  assert set(variables) == {'params', *STATISTICS.get(name, ())}
  assert sum(p.size for p in jax.tree.leaves(variables['params'])) == expected
  assert {p.dtype for p in jax.tree.leaves(variables)} == {jnp.dtype('float32')}
  num_classes = fields.get('num_classes', 10)
  assert outputs.scores.shape == (2, num_classes)
  if name != 'baseline':
    assert outputs.capsules.shape == (2, num_classes, 16)
  if fields.get('has_decoder', name in HAS_DECODER):
    assert outputs.reconstructions.shape == (2, *image_shape)
  else:
    assert outputs.reconstructions is None


def test_the_table_has_every_model():
  assert {name for name, *_ in GOLDEN.values()} == set(registry._MODELS)


@pytest.mark.parametrize('name', registry._MODELS)
@pytest.mark.parametrize('image_shape', [(32, 32, 3), (29, 41, 2)])
def test_every_model_takes_images_of_other_shapes(name, image_shape):
  outputs, _ = shapes(create_model(name, num_classes=7), image_shape)
  assert outputs.scores.shape == (2, 7)
  assert outputs.scores.dtype == jnp.float32


def test_names_become_values():
  model = create_model(
    'capsnet', initialization='official', dtype='bfloat16', num_types=4
  )
  assert isinstance(model, CapsNet)
  assert model.initialization is initializers.OFFICIAL
  assert model.dtype == jnp.bfloat16
  assert model.num_types == 4
  assert create_model('capsnet') == CapsNet()


def test_values_may_be_given_as_themselves():
  cell = nn.Conv(256, (3, 3))
  model = create_model(
    'capsnet', dtype=jnp.bfloat16, primary_cell=cell, padding='SAME'
  )
  assert model.dtype == jnp.bfloat16
  assert model.primary_cell == cell
  assert model.padding == 'SAME'


# A model, its fields, and what the message must name: the mistake and what was
# meant.
MISTAKES = [
  ('capsnt', {}, ["model 'capsnt'", 'capsnet']),
  ('resnet-1202', {}, ["model 'resnet-1202'", 'baseline', 'capsnet']),
  (
    'capsnet',
    {'routing': {'name': 'dynamic', 'num_iteration': 3}},
    ["'num_iteration'", 'num_iterations'],
  ),
  ('capsnet', {'dropout_rate': 0.5}, ["'capsnet'", "'dropout_rate'"]),
  ('baseline', {'num_iterations': 3}, ["'baseline'", "'num_iterations'"]),
  ('baseline', {'dropout': 0.1}, ["'dropout'", 'dropout_rate']),
  ('capsnet', {'parent': None}, ["'parent'"]),
  ('capsnet', {'initialization': 'oficial'}, ["'oficial'", 'official']),
  ('capsnet', {'dtype': 'float23'}, ["'float23'", 'float32']),
  ('baseline', {'dtype': 'double'}, ["'double'", 'float32', 'bfloat16']),
]


@pytest.mark.parametrize(('name', 'fields', 'words'), MISTAKES)
def test_mistakes_are_told_with_the_nearest_names(name, fields, words):
  with pytest.raises(UserError) as raised:
    create_model(name, **fields)
  message = str(raised.value)
  assert '\n' not in message
  for word in words:
    assert word in message


@pytest.mark.parametrize('value', [(9,), (9, 9, 9)])
@pytest.mark.parametrize('field', ['conv_kernel_size', 'primary_strides'])
def test_height_and_width_need_a_number_each(field, value):
  with pytest.raises(UserError, match=rf'model\.{field}=.*give two numbers'):
    create_model('capsnet', **{field: value})
