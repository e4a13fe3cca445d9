"""Convolutional capsules and capsules above a grid, against loops."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import layers, ops
from tests.layers import running
from tests.reference import routings as reference

TYPES, OUT_CAPS, POSE = 2, 3, (2, 2)
RNG = np.random.default_rng(0)
GRID = ops.Capsules(
  jnp.asarray(RNG.normal(size=(2, 5, 4, TYPES, *POSE)), jnp.float32),
  jnp.asarray(RNG.uniform(0.2, 1, size=(2, 5, 4, TYPES)), jnp.float32),
)
NORMAL = jax.nn.initializers.normal(0.5)
VOTES = layers.MatrixVotes(OUT_CAPS, kernel_init=NORMAL)
EM = layers.EMRouting(
  inverse_temperature=1.0, beta_u_init=NORMAL, beta_a_init=NORMAL
)


def fields_by_hand(example, kernel, *, kernel_size, strides):
  """Returns votes, activations and children of every position in turn."""
  poses, activations = (np.asarray(a)[example] for a in GRID)
  (rows, columns), (down, right) = kernel_size, strides
  votes, active, children = [], [], []
  for top in range(0, 5 - rows + 1, down):
    for left in range(0, 4 - columns + 1, right):
      votes.append([])
      active.append([])
      children.append([])
      for y in range(top, top + rows):
        for x in range(left, left + columns):
          for t in range(TYPES):
            matrices = kernel[len(votes[-1])]
            pose = poses[y, x, t]
            votes[-1].append([(pose @ m).reshape(-1) for m in matrices])
            active[-1].append(activations[y, x, t])
            children[-1].append((y * 4 + x) * TYPES + t)
  return tuple(map(np.array, (votes, active, children)))


@pytest.mark.parametrize('competes_everywhere', [True, False])
@pytest.mark.parametrize('strides', [(1, 1), (2, 1)])
def test_convolutional_capsules_are_those_of_loops(
  strides, competes_everywhere
):
  size = (3, 2)
  module = layers.ConvCapsules(
    *(VOTES, EM, size, strides), competes_everywhere=competes_everywhere
  )
  variables = running.init(module, GRID)
  params = jax.device_get(variables['params'])
  found = running.apply(module, variables, GRID)
  height = (5 - 3) // strides[0] + 1
  assert found.poses.shape == (2, height, 3, OUT_CAPS, *POSE)
  for example in range(2):
    votes, active, children = fields_by_hand(
      example, params['votes']['kernel'], kernel_size=size, strides=strides
    )
    if not competes_everywhere:
      children = reference.own_children(votes)
    poses, activations, _ = reference.em(
      votes, active, children, inverse_temperature=1.0, **params['routing']
    )
    np.testing.assert_allclose(
      found.poses[example].reshape(poses.shape), poses, atol=1e-3
    )
    np.testing.assert_allclose(
      found.activations[example].reshape(activations.shape),
      activations,
      atol=1e-3,
    )


def test_a_receptive_field_larger_than_the_grid_is_refused():
  module = layers.ConvCapsules(VOTES, EM, (6, 2))
  with pytest.raises(ValueError, match=r'\(6, 2\) is larger than the grid'):
    module.init(jax.random.key(0), GRID)


def test_capsules_above_a_grid_share_weights_and_know_positions():
  module = layers.GridCapsules(VOTES, EM, (1, 2), 0.5)
  variables = running.init(module, GRID)
  params = jax.device_get(variables['params'])
  assert params['votes']['kernel'].shape == (TYPES, OUT_CAPS, *POSE)
  found = running.apply(module, variables, GRID)
  for example in range(2):
    votes, active = [], []
    for y, x, t in np.ndindex(5, 4, TYPES):
      pose = np.asarray(GRID.poses[example, y, x, t])
      located = [
        (pose @ matrix).reshape(-1)
        + 0.5 * np.array([0, (y + 0.5) / 5, (x + 0.5) / 4, 0])
        for matrix in params['votes']['kernel'][t]
      ]
      votes.append(located)
      active.append(GRID.activations[example, y, x, t])
    votes = np.array([votes])
    poses, activations, _ = reference.em(
      votes,
      np.array([active]),
      reference.own_children(votes),
      inverse_temperature=1.0,
      **params['routing'],
    )
    np.testing.assert_allclose(
      found.poses[example].reshape(OUT_CAPS, 4), poses[0], atol=1e-3
    )
    np.testing.assert_allclose(
      found.activations[example], activations[0], atol=1e-3
    )


def test_without_coordinates_positions_do_not_matter():
  module = layers.GridCapsules(VOTES, EM, None)
  variables = running.init(module, GRID)
  turned = jax.tree.map(lambda a: a[:, ::-1, ::-1], GRID)
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, atol=1e-5),
    running.apply(module, variables, turned),
    running.apply(module, variables, GRID),
  )


def test_blocks_of_a_grid_give_the_same():
  modules = [
    layers.ConvCapsules(VOTES, EM, (3, 2), most_bytes=most)
    for most in (2**27, 1)
  ]
  variables = running.init(modules[0], GRID)
  jax.tree.map(
    functools.partial(np.testing.assert_allclose, atol=1e-5),
    *(running.apply(module, variables, GRID) for module in modules),
  )


def test_primary_capsules_are_two_convolutions():
  features = jnp.asarray(RNG.normal(size=(2, 3, 3, 4)), jnp.float32)
  module = layers.PosePrimaryCapsules(
    TYPES, POSE, activation_fn=lambda x: jax.nn.sigmoid(x - 1)
  )
  variables = running.init(module, features)
  params = jax.device_get(variables['params'])
  found = running.apply(module, variables, features)
  poses = np.einsum('bhwc,cd->bhwd', features, params['pose']['kernel'][0, 0])
  np.testing.assert_allclose(
    found.poses, poses.reshape(2, 3, 3, TYPES, *POSE), atol=1e-5
  )
  evidence = np.einsum(
    'bhwc,cd->bhwd', features, params['activation']['kernel'][0, 0]
  )
  np.testing.assert_allclose(
    found.activations, 1 / (1 + np.exp(1 - evidence)), atol=1e-5
  )


def test_each_type_is_normalised_by_its_own_statistics():
  module = layers.CapsuleBatchNorm()

  def apply(train):
    variables = module.init(
      jax.random.key(0), GRID, train=False, axis_name=None
    )
    return module.apply(
      variables, GRID, train=train, axis_name=None, mutable=['batch_stats']
    )

  found, state = apply(True)
  evidence = np.log(found.activations) - np.log1p(-found.activations)
  for t in range(TYPES):
    poses, chances = (np.asarray(a)[:, :, :, t] for a in GRID)
    np.testing.assert_allclose(
      found.poses[:, :, :, t],
      (poses - poses.mean()) / np.sqrt(poses.var() + 1e-5),
      atol=1e-4,
    )
    np.testing.assert_allclose(
      evidence[..., t],
      (chances - chances.mean()) / np.sqrt(chances.var() + 1e-5),
      atol=1e-3,
    )
    running_mean = state['batch_stats']['poses']['mean'][t]
    np.testing.assert_allclose(running_mean, 0.1 * poses.mean(), atol=1e-5)
  # At first, the running mean is 0 and the running variance 1.
  found, _ = apply(False)
  np.testing.assert_allclose(found.poses, GRID.poses, atol=1e-4)
