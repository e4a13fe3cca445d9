"""Capsule statistics, against plain NumPy and in clear cases."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

import capsjax
from capsjax import layers
from tests.reference import routing as reference

IN_CAPS, OUT_CAPS, DIM = 7, 4, 3


class Stack(nn.Module):
  """Two layers of capsules, one inside another module."""

  routing_fn: layers.RoutingFn = capsjax.fused_dynamic_routing

  @nn.compact
  def __call__(self, images):
    primary = layers.PrimaryCapsules(2, DIM, (3, 3), (2, 2), name='primary')
    classes = layers.DenseCapsules(
      OUT_CAPS, DIM, routing_fn=self.routing_fn, name='classes'
    )
    return classes(primary(images))


def statistics(capsules, kernel, **options):
  """Measures a layer with this kernel, given these capsules."""
  layer = layers.DenseCapsules(
    *(kernel.shape[1], kernel.shape[3]),
    routing_fn=functools.partial(capsjax.fused_dynamic_routing, **options),
  )
  found = capsjax.capsule_statistics(
    jnp.asarray(capsules, jnp.float32),
    {'params': {'kernel': jnp.asarray(kernel, jnp.float32)}},
    model=layer,
  )
  return {name: float(number) for name, number in found.items()}


def test_the_numbers_are_those_of_plain_loops():
  rng = np.random.default_rng(0)
  inputs = rng.normal(size=(5, IN_CAPS, 2))
  kernel = rng.normal(size=(IN_CAPS, OUT_CAPS, 2, DIM))
  votes = np.einsum('bid,ijde->bije', inputs, kernel)
  routed = [list(reference.iterations(v, num_iterations=3)) for v in votes]
  outputs = [iterations[-1].capsules for iterations in routed]
  lengths = np.linalg.norm(outputs, axis=-1)
  expected = {
    '/length': lengths.mean(),
    '/length_deviation': lengths.std(0).mean(),
    '/share_long': (lengths > 0.99).mean(),
    '/share_short': (lengths < 0.01).mean(),
  }
  for r in range(3):
    couplings = np.stack([iterations[r].couplings for iterations in routed])
    expected[f'/largest_coupling_{r + 1}'] = couplings.max(-1).mean()
    entropies = -(couplings * np.log(couplings)).sum(-1) / np.log(OUT_CAPS)
    expected[f'/coupling_entropy_{r + 1}'] = entropies.mean()
    if r:
      changes = np.stack(
        [
          iterations[r].routing_logits - iterations[r - 1].routing_logits
          for iterations in routed
        ]
      )
      changes -= changes.mean(-1, keepdims=True)
      expected[f'/logit_change_{r + 1}'] = np.abs(changes).mean()
  assert statistics(inputs, kernel) == pytest.approx(expected, rel=1e-4)


def test_uniform_and_decided_couplings():
  inputs = np.ones((2, IN_CAPS, DIM))
  # Every capsule votes for the first output alone, and then strongly so.
  kernel = np.zeros((IN_CAPS, OUT_CAPS, DIM, DIM))
  uniform = statistics(inputs, kernel)
  assert uniform['/largest_coupling_3'] == pytest.approx(1 / OUT_CAPS)
  assert uniform['/coupling_entropy_3'] == pytest.approx(1)
  assert uniform['/logit_change_3'] == 0
  assert uniform['/share_short'] == 1
  kernel[:, 0] = 100
  decided = statistics(inputs, kernel)
  assert decided['/largest_coupling_3'] == pytest.approx(1)
  assert decided['/coupling_entropy_3'] == pytest.approx(0, abs=1e-6)
  assert decided['/share_long'] == 1 / OUT_CAPS


def test_a_leak_and_one_output_capsule_are_finite():
  inputs = np.ones((2, IN_CAPS, DIM))
  kernel = np.full((IN_CAPS, 1, DIM, DIM), 100.0)
  found = statistics(inputs, kernel, leaky=True)
  assert np.isfinite(list(found.values())).all()
  assert found['/largest_coupling_1'] == pytest.approx(0.5)
  assert '/coupling_entropy_1' not in found


def test_every_layer_of_any_model_is_found_by_its_path():
  images = jax.random.uniform(jax.random.key(0), (6, 9, 9, 1))
  model = nn.Sequential([Stack()])
  variables = jax.jit(model.init)(jax.random.key(1), images)
  measure = functools.partial(capsjax.capsule_statistics, model=model)
  found = jax.jit(measure)(images, variables)
  assert {name.rpartition('/')[0] for name in found} == {
    'layers_0/primary',
    'layers_0/classes',
  }
  primary = variables['params']['layers_0']['primary']
  capsules = layers.PrimaryCapsules(2, DIM, (3, 3), (2, 2)).apply(
    {'params': primary}, images
  )
  expected = np.linalg.norm(capsules, axis=-1).mean()
  assert found['layers_0/primary/length'] == pytest.approx(expected, rel=1e-5)
  assert 'layers_0/primary/largest_coupling_1' not in found


def test_a_model_without_capsules_has_none():
  images = jnp.ones((2, 9, 9, 1))
  model = nn.Sequential([nn.Conv(2, (3, 3)), nn.relu])
  variables = model.init(jax.random.key(0), images)
  assert capsjax.capsule_statistics(images, variables, model=model) == {}
