"""Layers made of votes and a routing, for each of both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import layers, ops
from tests.layers import running

IN_CAPS, OUT_CAPS, POSE = 5, 3, (2, 2)
RNG = np.random.default_rng(0)
CAPSULES = ops.Capsules(
  jnp.asarray(RNG.normal(size=(6, IN_CAPS, *POSE)), jnp.float32),
  jnp.asarray(RNG.uniform(0.2, 1, size=(6, IN_CAPS)), jnp.float32),
)
# Every routing: the module, its function, and the shapes of its parameters.
J, IJ = (OUT_CAPS,), (IN_CAPS, OUT_CAPS)
ROUTINGS = {
  'agreement': (
    layers.AgreementRouting(use_bias=True, learn_log_priors=True),
    ops.agreement_routing,
    {'bias': (*J, *POSE), 'log_priors': IJ},
  ),
  'self_attention': (
    layers.SelfAttentionRouting(),
    ops.self_attention_routing,
    {'priors': IJ},
  ),
  'em': (layers.EMRouting(), ops.em_routing, {'beta_u': J, 'beta_a': J}),
  'variational': (
    layers.VariationalRouting(),
    ops.variational_routing,
    {'beta_u': J, 'beta_a': J},
  ),
  'inverted_attention': (
    layers.InvertedAttentionRouting(),
    ops.inverted_attention_routing,
    {'scale': POSE, 'bias': POSE},
  ),
  'none': (layers.NoRouting(), ops.no_routing, {}),
  # Its parameters are not those of its function.
  'self_routing': (
    layers.SelfRouting(),
    None,
    {'kernel': (*IJ, 4), 'bias': IJ},
  ),
}
each_routing = pytest.mark.parametrize('name', ROUTINGS)
VOTES = {
  'full': (layers.FullVotes(OUT_CAPS, POSE), (*IJ, 4, 4)),
  'matrix': (layers.MatrixVotes(OUT_CAPS), (*IJ, *POSE)),
  'elementwise': (layers.ElementwiseVotes(OUT_CAPS), (*IJ, *POSE)),
}


def layer(name, votes='matrix', **fields):
  return layers.RoutedCapsules(
    votes=VOTES[votes][0], routing=ROUTINGS[name][0], **fields
  )


@functools.cache
def variables_of(name, votes='matrix'):
  """Returns variables of which no parameter is 0."""
  found = running.init(layer(name, votes), CAPSULES)
  keys = iter(jax.random.split(jax.random.key(1), 9))
  return jax.tree.map(
    lambda leaf: jax.random.normal(next(keys), leaf.shape), found
  )


def votes_by_hand(kind, kernel):
  """Computes the votes of each pair of capsules, one after the other."""
  kernel, (poses, _) = np.asarray(kernel), CAPSULES
  votes = np.zeros((6, IN_CAPS, OUT_CAPS, *POSE))
  for b, i, j in np.ndindex(6, IN_CAPS, OUT_CAPS):
    pose = np.asarray(poses[b, i])
    if kind == 'matrix':
      votes[b, i, j] = pose @ kernel[i, j]
    elif kind == 'elementwise':
      votes[b, i, j] = pose * kernel[i, j]
    else:
      votes[b, i, j] = (pose.reshape(-1) @ kernel[i, j]).reshape(POSE)
  return jnp.asarray(votes, jnp.float32)


@pytest.mark.parametrize('votes', VOTES)
@each_routing
def test_parameters_have_these_shapes(name, votes):
  params = jax.tree.map(lambda p: p.shape, variables_of(name, votes)['params'])
  expected = {'votes': {'kernel': VOTES[votes][1]}}
  if ROUTINGS[name][2]:
    expected['routing'] = ROUTINGS[name][2]
  assert params == expected


@pytest.mark.parametrize('kind', VOTES)
@pytest.mark.parametrize('name', [n for n in ROUTINGS if ROUTINGS[n][1]])
def test_it_routes_its_votes(name, kind):
  variables = variables_of(name, kind)
  params = variables['params']
  found, state = running.apply(
    layer(name, kind), variables, CAPSULES, mutable=('intermediates',)
  )
  expected, couplings = jax.jit(
    functools.partial(ROUTINGS[name][1], return_couplings=True)
  )(
    votes_by_hand(kind, params['votes']['kernel']),
    CAPSULES.activations,
    **params.get('routing', {}),
  )
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-4)
  jax.tree.map(close, found, expected)
  close(state['intermediates']['couplings'][0], couplings)


def test_self_routing_reads_the_poses_of_the_children():
  variables = variables_of('self_routing')
  params = jax.device_get(variables['params']['routing'])
  poses = np.asarray(CAPSULES.poses).reshape(6, IN_CAPS, 4)
  logits = np.einsum('bid,ijd->bij', poses, params['kernel']) + params['bias']
  weights = np.exp(logits)
  _, state = running.apply(
    layer('self_routing'), variables, CAPSULES, mutable=('intermediates',)
  )
  (couplings,) = state['intermediates']['couplings']
  np.testing.assert_allclose(
    couplings[0], weights / weights.sum(-1, keepdims=True), atol=1e-5
  )


def total(module, variables, capsules):
  found = module.apply(variables, capsules)
  return jnp.sum(jnp.sin(found.poses)) + jnp.sum(found.activations)


@each_routing
def test_blocks_give_the_same_as_the_whole_batch(name):
  """Four of six examples fit into a block, so the last one is smaller."""
  bytes_of_example = IN_CAPS * OUT_CAPS * 4 * 4
  whole = layer(name)
  blocks = layer(name, most_bytes=4 * bytes_of_example)
  variables = variables_of(name)
  close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
  results = [
    running.apply(m, variables, CAPSULES, mutable=('intermediates',))
    for m in (whole, blocks)
  ]
  jax.tree.map(close, *results)
  if name != 'em':  # compiling the gradients of all would take a minute
    return
  slopes = [
    jax.jit(jax.grad(functools.partial(total, m), (0, 1)))(variables, CAPSULES)
    for m in (whole, blocks)
  ]
  jax.tree.map(close, *slopes)


def test_blocks_keep_several_batch_axes():
  variables = variables_of('em')
  module = layer('em', most_bytes=1)
  two = jax.tree.map(lambda a: a.reshape(2, 3, *a.shape[1:]), CAPSULES)
  found, state = running.apply(
    module, variables, two, mutable=('intermediates',)
  )
  expected = running.apply(layer('em'), variables, CAPSULES)
  assert found.poses.shape == (2, 3, OUT_CAPS, *POSE)
  (couplings,) = state['intermediates']['couplings']
  assert couplings.shape == (3, 2, 3, IN_CAPS, OUT_CAPS)
  np.testing.assert_allclose(
    found.poses.reshape(expected.poses.shape), expected.poses, atol=1e-5
  )


def test_votes_of_a_batch_are_never_held_whole():
  """Neither by the forward nor by the backward pass of EM routing."""
  batch, in_caps, out_caps = 32, 128, 32
  votes = batch * in_caps * out_caps * 16 * 4
  capsules = ops.Capsules(
    jnp.zeros((batch, in_caps, 4, 4)), jnp.ones((batch, in_caps))
  )

  def temporary(most_bytes):
    module = layers.RoutedCapsules(
      votes=layers.MatrixVotes(out_caps),
      routing=layers.EMRouting(num_iterations=2),
      most_bytes=most_bytes,
    )
    variables = jax.eval_shape(module.init, jax.random.key(0), capsules)
    gradient = jax.jit(jax.grad(functools.partial(total, module)))
    compiled = gradient.lower(variables, capsules).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  assert temporary(votes) > votes
  assert temporary(votes // 32) < votes / 2


@each_routing
def test_half_precision_and_strict_types(name):
  variables = variables_of(name)
  half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), CAPSULES)
  found = running.apply(layer(name), variables, half)
  assert {a.dtype for a in found} == {jnp.dtype('bfloat16')}
  for array in found:
    assert np.all(np.isfinite(array.astype(jnp.float32)))


def test_matrix_votes_need_matrices():
  flat = CAPSULES._replace(poses=CAPSULES.poses.reshape(6, IN_CAPS, 4))
  with pytest.raises(ValueError, match=r'\[rows, columns\], not \(4,\)'):
    layer('em').init(jax.random.key(0), flat)


def test_every_routing_is_in_the_table():
  from capsjax.layers import routings

  names = {type(module).__name__ for module, *_ in ROUTINGS.values()}
  assert names == set(routings.__all__)
