"""The convolutional baseline: what it returns, dropout, its fields."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from capsjax.models import BaselineCNN
from tests.layers import running

TINY = {
  'num_classes': 4,
  'conv_features': (3, 5),
  'conv_kernel_sizes': (3, 2),
  'dense_sizes': (9, 8),
}


def images():
  values = np.random.default_rng(0).uniform(size=(3, 8, 6, 1))
  return jnp.asarray(values, jnp.float32)


def tiny(**fields):
  return BaselineCNN(**TINY | fields)


@pytest.mark.parametrize('pool_size', [1, 2])
def test_scores_are_the_logits_of_a_loop_over_the_layers(pool_size):
  model = tiny(pool_size=pool_size)
  variables = running.init(model, images())

  @jax.jit
  def expected(params, hidden):
    for name, size in (('Convolution_0', 3), ('Convolution_1', 2)):
      kernel = params[name]['kernel']
      assert kernel.shape[:2] == (size, size)
      convolution = nn.Conv(kernel.shape[-1], (size, size), padding='SAME')
      hidden = nn.relu(convolution.apply({'params': params[name]}, hidden))
      if pool_size > 1:
        hidden = nn.max_pool(hidden, (2, 2), (2, 2))
    hidden = hidden.reshape(len(hidden), -1)
    for name in ('Dense_0', 'Dense_1', 'Dense_2'):
      hidden = hidden @ params[name]['kernel'] + params[name]['bias'][None]
      if name != 'Dense_2':
        hidden = nn.relu(hidden)
    return hidden

  outputs = running.apply(model, variables, images())
  hidden = expected(variables['params'], images())
  np.testing.assert_allclose(outputs.scores, hidden, atol=1e-5)
  assert outputs.capsules is None
  assert outputs.reconstructions is None


def test_dropout_is_for_training_only():
  model = tiny()
  variables = running.init(model, images())
  apply = functools.partial(running.apply, model)

  def scores(seed, train):
    rngs = {'dropout': jax.random.key(seed)}
    return apply(variables, images(), train=train, rngs=rngs).scores

  assert np.any(scores(0, True) != scores(1, True))
  np.testing.assert_array_equal(scores(0, False), scores(1, False))
  np.testing.assert_array_equal(scores(0, True), scores(0, True))


def test_targets_have_no_effect():
  model = tiny()
  variables = running.init(model, images())
  apply = functools.partial(running.apply, model)
  targets = jnp.ones((3, 4))
  np.testing.assert_array_equal(
    apply(variables, images(), targets).scores,
    apply(variables, images()).scores,
  )


CHANGES = {
  'num_classes': ('shapes', 3),
  'conv_features': ('shapes', (3, 4)),
  'conv_kernel_sizes': ('shapes', (3, 3)),
  'pool_size': ('shapes', 2),
  'dense_sizes': ('shapes', (9,)),
  'dropout_rate': ('results', 0.1),
  'dtype': ('results', jnp.bfloat16),
}


@pytest.mark.parametrize('field', CHANGES)
def test_every_field_changes_something(field):
  what, value = CHANGES[field]
  changed = tiny(**{field: value})

  def shapes(model):
    variables = jax.eval_shape(model.init, jax.random.key(0), images())
    return jax.tree.map(lambda p: p.shape, variables)

  if what == 'shapes':
    assert shapes(changed) != shapes(tiny())
    return
  assert shapes(changed) == shapes(tiny())
  variables = running.init(tiny(), images())

  def scores(model):
    rngs = {'dropout': jax.random.key(1)}
    return running.apply(
      model, variables, images(), train=True, rngs=rngs
    ).scores

  found, expected = scores(changed), scores(tiny())
  assert found.dtype == jnp.float32
  assert np.abs(found - expected).max() > 1e-4


def test_the_table_has_every_field():
  fields = {field.name for field in dataclasses.fields(BaselineCNN)}
  assert set(CHANGES) == fields - {'parent', 'name'}
