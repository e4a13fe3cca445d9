"""Networks take images with any leading axes, and refuse what is no image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.models.networks import NETWORKS
from tests.running import beside

IMAGES = np.random.default_rng(0).uniform(size=(6, 12, 12, 1))
IMAGES = IMAGES.astype(np.float32)
each_network = pytest.mark.parametrize('name', NETWORKS)


def applied(name):
  model = NETWORKS[name]
  variables = jax.jit(model.init)(jax.random.key(0), jnp.asarray(IMAGES))
  return lambda images: jax.tree.leaves(
    jax.jit(model.apply)(variables, jnp.asarray(images))
  )


@each_network
def test_leading_axes_are_batch_axes(name):
  apply = applied(name)
  batch = apply(IMAGES)
  for found, expected in zip(apply(IMAGES[1]), batch, strict=True):
    np.testing.assert_allclose(found, expected[1], atol=1e-5)
  two = apply(IMAGES.reshape(2, 3, 12, 12, 1))
  for found, expected in zip(two, batch, strict=True):
    assert found.shape == (2, 3, *expected.shape[1:])
    np.testing.assert_allclose(found, expected.reshape(found.shape), atol=1e-5)


@each_network
def test_no_images_give_no_scores(name):
  scores, *_ = applied(name)(IMAGES[:0])
  assert scores.shape == (0, 4)


def message(name, images):
  return beside(_message, name, images)


def _message(name, images):
  try:
    NETWORKS[name].init(jax.random.key(0), jnp.asarray(images))
  except ValueError as error:
    return str(error)
  return None


@each_network
def test_what_is_no_image_is_refused(name):
  assert 'uint8; convert uint8 with images / 255' in message(
    name, (255 * IMAGES).astype(np.uint8)
  )
  assert '(12, 12); add the channels' in message(name, IMAGES[0, ..., 0])
