"""The networks in Equinox and Haiku are the Linen network, and learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import capsjax

# Every size differs from the default, and the images are not square.
IMAGE_SHAPE = (21, 24, 2)
SIZES = {
  'conv_features': 12,
  'num_types': 3,
  'primary_dim': 4,
  'num_classes': 5,
  'capsule_dim': 6,
}
# Large enough to learn something in five steps.
TRAINED_SIZES = {'conv_features': 32, 'num_types': 8}


@pytest.fixture(scope='module')
def equinox():
  return pytest.importorskip('equinox', reason='Equinox is not installed')


@pytest.fixture(scope='module')
def haiku():
  return pytest.importorskip('haiku', reason='Haiku is not installed')


@pytest.fixture(autouse=True)
def usual_promotion():
  """Adds biases, and runs optax's Adam, as the examples' readers do."""
  with (
    jax.numpy_dtype_promotion('standard'),
    jax.numpy_rank_promotion('allow'),
  ):
    yield


@pytest.fixture(scope='module')
def images():
  return jax.random.uniform(jax.random.key(0), (3, *IMAGE_SHAPE))


@pytest.fixture(scope='module')
def linen(images):
  """Returns the Linen network's class capsules, and its parameters by name."""
  model = capsjax.CapsNet(**SIZES, has_decoder=False)
  variables = model.init(jax.random.key(1), images)
  leaves, structure = jax.tree.flatten(variables)
  keys = jax.random.split(jax.random.key(2), len(leaves))
  # Biases start at 0, which would hide a mistake in how they are added.
  leaves = [
    leaf + 0.1 * jax.random.normal(key, leaf.shape)
    for key, leaf in zip(keys, leaves, strict=True)
  ]
  variables = jax.tree.unflatten(structure, leaves)
  params = variables['params']
  return np.asarray(model.apply(variables, images).capsules), {
    'conv_kernel': params['conv']['kernel'],
    'conv_bias': params['conv']['bias'],
    'primary_kernel': params['primary_capsules']['cell']['kernel'],
    'primary_bias': params['primary_capsules']['bias'],
    'class_kernel': params['class_capsules']['kernel'],
  }


def shapes(arrays):
  return {name: array.shape for name, array in arrays.items()}


def test_equinox_gives_the_class_capsules_of_linen(equinox, images, linen):
  from experiments.examples import equinox_capsnet

  expected, params = linen
  model = equinox_capsnet.CapsNet(
    jax.random.key(3), image_shape=IMAGE_SHAPE, **SIZES
  )
  assert shapes(vars(model)) == shapes(params)
  model = equinox.tree_at(
    lambda model: [getattr(model, name) for name in params],
    model,
    list(params.values()),
  )
  capsules = jax.jit(jax.vmap(model))(images)
  np.testing.assert_allclose(capsules, expected, atol=1e-5)


def test_haiku_gives_the_class_capsules_of_linen(haiku, images, linen):
  from experiments.examples import haiku_capsnet

  expected, params = linen
  network = haiku_capsnet.capsnet(**SIZES)
  (own,) = network.init(jax.random.key(3), images).values()
  assert shapes(own) == shapes(params)
  capsules = jax.jit(network.apply)({'caps_net': params}, images)
  np.testing.assert_allclose(capsules, expected, atol=1e-5)


def test_equinox_learns(equinox):
  from experiments.examples import equinox_capsnet

  model = equinox_capsnet.CapsNet(jax.random.key(0), **TRAINED_SIZES)
  trained, losses = equinox_capsnet.train(model)
  assert len(losses) == 5
  assert losses[-1] < 0.9 * losses[0]
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(trained))


def test_haiku_learns(haiku):
  from experiments.examples import haiku_capsnet

  network = haiku_capsnet.capsnet(**TRAINED_SIZES)
  params, losses = haiku_capsnet.train(jax.random.key(0), network)
  assert len(losses) == 5
  assert losses[-1] < 0.9 * losses[0]
  assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(params))
