"""The capsule network: what it returns, what its decoder sees, its fields."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax import ops
from capsjax.models import (
  CapsNet,
  create_model,
  initializers,
)
from tests.layers import running
from tests.ops.routing_cases import halve
from tests.reference import convolution as convolution_reference
from tests.reference import masks as masks_reference
from tests.reference import routing as routing_reference
from tests.reference import squash as squash_reference

NUM_CLASSES = 4
TINY = {
  'num_classes': NUM_CLASSES,
  'capsule_dim': 5,
  'conv_features': 24,
  'conv_kernel_size': (3, 3),
  'num_types': 4,
  'primary_dim': 3,
  'primary_kernel_size': (3, 3),
  'decoder_sizes': (7,),
}
IMAGES = np.random.default_rng(0).uniform(size=(3, 8, 8, 1))
TARGETS = np.eye(NUM_CLASSES)[[2, 0, 3]]


def tiny(**fields):
  return CapsNet(**TINY | fields)


def images():
  return jnp.asarray(IMAGES, jnp.float32)


@functools.cache
def initial_params():
  return running.init(tiny(), images())['params']


def params():
  """Returns larger weights, so that agreement matters."""
  return jax.tree.map(lambda p: 2 * p, initial_params())


def apply(model, targets=None, parameters=None, **options):
  if targets is not None:
    targets = jnp.asarray(targets, jnp.float32)
  variables = {'params': params() if parameters is None else parameters}
  return running.apply(model, variables, images(), targets, **options)


def test_class_capsules_equal_the_reference_layer_by_layer():
  arrays = jax.tree.map(np.asarray, params())
  features = convolution_reference.convolution(
    np.asarray(images()), arrays['conv']['kernel']
  )
  primary = arrays['primary_capsules']
  preactivations = convolution_reference.convolution(
    np.maximum(0, features + arrays['conv']['bias']),
    primary['cell']['kernel'],
    strides=(2, 2),
  ).reshape(3, -1, *primary['bias'].shape)
  capsules = squash_reference.squash(preactivations + primary['bias'])
  expected, _ = routing_reference.route(
    capsules.reshape(3, -1, capsules.shape[-1]),
    arrays['class_capsules']['kernel'],
  )
  np.testing.assert_allclose(apply(tiny()).capsules, expected, atol=1e-5)


def test_scores_are_the_lengths_of_the_class_capsules():
  outputs = apply(tiny())
  assert outputs.capsules.shape == (3, NUM_CLASSES, 5)
  lengths = squash_reference.lengths(np.asarray(outputs.capsules))
  np.testing.assert_allclose(outputs.scores, lengths, rtol=1e-5)
  assert np.all(lengths < 1)


def test_reconstructions_are_images():
  reconstructions = apply(tiny(), TARGETS).reconstructions
  assert reconstructions.shape == IMAGES.shape
  assert np.all((reconstructions > 0) & (reconstructions < 1))


def disturbed(inputs, kernel, *, others, **options):
  """Routes, then changes only the capsules of a mask `others`."""
  capsules = ops.fused_dynamic_routing(inputs, kernel, **options)
  return capsules + 10 * jnp.asarray(others, jnp.float32)[..., None] * jnp.ones(
    capsules.shape
  )


def test_the_decoder_sees_only_the_capsules_of_the_targets():
  plain = apply(tiny(), TARGETS)

  def decode(others):
    routing_fn = functools.partial(disturbed, others=others)
    return apply(tiny(routing_fn=routing_fn), TARGETS)

  others = decode(1 - TARGETS)
  assert np.abs(others.capsules - plain.capsules).max() > 1
  np.testing.assert_allclose(
    others.reconstructions, plain.reconstructions, atol=1e-6
  )
  own = decode(TARGETS)
  difference = np.abs(own.reconstructions - plain.reconstructions)
  assert np.all(difference.max((1, 2, 3)) > 1e-3)


def test_without_targets_the_longest_capsule_is_decoded():
  model = tiny()
  found = apply(model)
  mask = masks_reference.top_k_mask(np.asarray(found.scores), k=1)
  expected = apply(model, mask)
  np.testing.assert_allclose(
    found.reconstructions, expected.reconstructions, atol=1e-6
  )
  rolled = apply(model, np.roll(mask, 1, -1))
  assert np.abs(found.reconstructions - rolled.reconstructions).max() > 1e-4


def test_each_of_two_objects_is_decoded_for_itself():
  model = tiny(num_labels=2)
  found = apply(model)
  mask = masks_reference.top_k_mask(np.asarray(found.scores), k=2)
  classes = [np.flatnonzero(row) for row in mask]
  for position in (0, 1):
    one_hot = np.eye(mask.shape[1])[[pair[position] for pair in classes]]
    expected = apply(tiny(), one_hot.astype(np.float32))
    np.testing.assert_allclose(
      found.reconstructions[:, position], expected.reconstructions, atol=1e-6
    )
  assert found.capsules.shape == apply(tiny()).capsules.shape


@pytest.mark.parametrize(
  ('size', 'bound', 'expected'),
  [
    (28, 0, ((1, 1), (2, 2))),
    (28, 1152, ((1, 1), (2, 2))),
    (28, 1151, ((2, 2), (2, 2))),
    (64, 5000, ((2, 2), (2, 2))),
    (128, 5000, ((4, 4), (4, 4))),
    (128, 6000, ((2, 2), (4, 4))),
    # A first stride of 4 would leave no capsule at all.
    (40, 100, ((2, 2), (8, 8))),
  ],
)
def test_a_bound_on_the_primary_capsules_doubles_strides(size, bound, expected):
  model = CapsNet(max_primary_capsules=bound)
  assert model.strides((size, size, 1)) == expected
  params = jax.eval_shape(
    model.init, jax.random.key(0), jnp.zeros((1, size, size, 1))
  )['params']
  count = params['class_capsules']['kernel'].shape[0]
  assert 0 < count <= (bound or 1152)


def test_a_bound_below_one_capsule_of_each_type_is_refused():
  with pytest.raises(ValueError, match='32 types'):
    CapsNet(max_primary_capsules=31).strides((28, 28, 1))


def test_the_decoder_by_itself_decodes_chosen_capsules():
  outputs = apply(tiny(), TARGETS)
  decoder = tiny().create_decoder(IMAGES.shape[1:])
  masked = ops.mask_capsules(
    outputs.capsules, jnp.asarray(TARGETS, jnp.float32)
  )
  images = decoder.apply({'params': params()['decoder']}, masked)
  np.testing.assert_allclose(images, outputs.reconstructions, atol=1e-6)


def test_only_reconstructions_depend_on_targets():
  with_targets, without = apply(tiny(), TARGETS), apply(tiny())
  np.testing.assert_allclose(with_targets.scores, without.scores, atol=1e-6)


def test_without_a_decoder_there_are_no_reconstructions():
  encoder = {k: v for k, v in params().items() if k != 'decoder'}
  outputs = apply(tiny(has_decoder=False), TARGETS, encoder)
  assert outputs.reconstructions is None
  np.testing.assert_allclose(outputs.scores, apply(tiny()).scores, atol=1e-6)


def test_train_has_no_effect():
  found, expected = apply(tiny(), TARGETS, train=True), apply(tiny(), TARGETS)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_the_couplings_of_every_routed_layer_can_be_read():
  model = tiny(hidden_capsules=((5, 2), (6, 3)), routing_fn=TWO_ITERATIONS)
  _, variables = jax.eval_shape(
    functools.partial(model.init_with_output, mutable=True),
    jax.random.key(0),
    images(),
  )
  sown = variables['intermediates']
  assert {name: s['couplings'][0].shape for name, s in sown.items()} == {
    'capsules_0': (2, 3, 16, 5),
    'capsules_1': (2, 3, 5, 6),
    'class_capsules': (2, 3, 6, NUM_CLASSES),
  }


def test_bfloat16_is_near_and_its_results_are_float32():
  narrow, wide = apply(tiny(dtype=jnp.bfloat16)), apply(tiny())
  for found, expected in zip(
    jax.tree.leaves(narrow), jax.tree.leaves(wide), strict=True
  ):
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, expected, atol=0.05)


TWO_ITERATIONS = functools.partial(ops.fused_dynamic_routing, num_iterations=2)

# Another value for each field, by what it changes: the parameters' shapes,
# their initial values, or the outputs.
CHANGES = {
  'num_classes': ('shapes', 3),
  'capsule_dim': ('shapes', 4),
  'conv_features': ('shapes', 5),
  'conv_kernel_size': ('shapes', (2, 4)),
  'num_types': ('shapes', 3),
  'primary_dim': ('shapes', 4),
  'primary_kernel_size': ('shapes', (2, 3)),
  'primary_strides': ('shapes', (1, 2)),
  'padding': ('shapes', 'SAME'),
  'hidden_capsules': ('shapes', ((5, 2),)),
  'use_capsule_bias': ('shapes', True),
  'learn_log_priors': ('shapes', True),
  'has_decoder': ('shapes', False),
  'decoder_sizes': ('shapes', (7, 8)),
  'primary_cell': ('shapes', nn.Conv(12, (3, 3))),
  'initialization': ('values', initializers.OFFICIAL),
  'matrix_scale': ('matrices', 0.5),
  'primary_scale': ('results', 0.5),
  'num_labels': ('outputs', 2),
  'max_primary_capsules': ('shapes', 4),
  'routing_fn': ('results', TWO_ITERATIONS),
  'squash_fn': ('results', halve),
  'dtype': ('results', jnp.bfloat16),
}


def shapes_of(model):
  variables = jax.eval_shape(model.init, jax.random.key(0), images())
  return jax.tree.map(lambda p: p.shape, variables['params'])


def gradient(model):
  def loss(parameters):
    outputs = model.apply({'params': parameters}, images())
    return jnp.sum(outputs.scores * jnp.asarray(TARGETS, jnp.float32))

  return jax.jit(jax.grad(loss))(params())


def max_difference(left, right):
  pairs = zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True)
  return max(np.abs(np.asarray(a) - np.asarray(b)).max() for a, b in pairs)


@pytest.mark.parametrize('field', CHANGES)
def test_every_field_changes_something(field):
  what, value = CHANGES[field]
  # A cell has a kernel of its own.
  others = {'primary_kernel_size': (9, 9)} if field == 'primary_cell' else {}
  changed = tiny(**{field: value} | others)
  if what == 'shapes':
    assert shapes_of(changed) != shapes_of(tiny())
    return
  assert shapes_of(changed) == shapes_of(tiny())
  if what == 'values':
    # One parameter is enough, and XLA then computes no other.
    found = jax.jit(lambda key: changed.init(key, images())['params']['conv'])
    difference = found(jax.random.key(0))['bias'] - params()['conv']['bias']
    np.testing.assert_allclose(difference, 0.1, rtol=1e-6)
  elif what == 'matrices':
    before, after = (
      model.init(jax.random.key(0), images())['params']['class_capsules']
      for model in (tiny(), changed)
    )
    np.testing.assert_allclose(after['kernel'], value * before['kernel'])
  elif what == 'outputs':
    before, after = (
      apply(tiny()).reconstructions,
      apply(changed).reconstructions,
    )
    assert after.shape == (len(before), value, *before.shape[1:])
  else:
    assert max_difference(apply(changed), apply(tiny())) > 1e-3


def test_a_field_that_a_cell_would_ignore_is_refused():
  model = tiny(primary_cell=nn.Conv(12, (3, 3)))
  with pytest.raises(ValueError, match='primary_kernel_size.* has no effect'):
    shapes_of(model)


def test_the_table_has_every_field():
  fields = {field.name for field in dataclasses.fields(CapsNet)}
  assert set(CHANGES) == fields - {'parent', 'name'}


def test_the_official_choices_build():
  model = create_model(
    'capsnet',
    **TINY,
    initialization='official',
    primary_scale=1 / 4,
    use_capsule_bias=True,
    routing={'name': 'dynamic', 'leaky': True},
  )
  found = running.init(model, images())['params']
  outputs = apply(model, TARGETS, found)
  assert all(np.all(np.isfinite(a)) for a in jax.tree.leaves(outputs))
  for path, parameter in jax.tree.leaves_with_path(found):
    if path[-1].key == 'bias':
      np.testing.assert_allclose(parameter, 0.1)
      continue
    std = 0.05 if path[0].key == 'conv' else 0.1
    # Truncated at two standard deviations, which leaves 0.88 of one.
    assert np.abs(parameter).max() <= 2 * std
    np.testing.assert_allclose(np.std(parameter), 0.88 * std, rtol=0.15)
  assert found.keys() == initial_params().keys()


def test_the_default_initial_values_make_up_for_the_primary_scale():
  """The scale is a power of 2 here, so that nothing is rounded."""
  scaled = tiny(primary_scale=1 / 4)
  found = running.init(scaled, images())['params']
  kernels = (
    of_one['primary_capsules']['cell']['kernel']
    for of_one in (found, initial_params())
  )
  np.testing.assert_array_equal(next(kernels), 4 * next(kernels))
  np.testing.assert_array_equal(
    apply(scaled, TARGETS, found).scores,
    apply(tiny(), TARGETS, initial_params()).scores,
  )


def test_the_default_initialisation_has_no_bias_and_keeps_variance():
  stds = {'conv': 9**-0.5, 'primary_capsules': (9 * 24) ** -0.5}
  found = initial_params()
  in_caps = len(found['class_capsules']['kernel'])
  stds |= {'class_capsules': 0.1 * (1152 / in_caps) ** 0.5}
  for path, parameter in jax.tree.leaves_with_path(found):
    if path[-1].key == 'bias':
      np.testing.assert_array_equal(parameter, 0)
    elif path[0].key in stds:
      std = stds[path[0].key]
      np.testing.assert_allclose(np.std(parameter), std, rtol=0.15)
