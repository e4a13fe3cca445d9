"""Every routing of votes and activations: one set of tests for all."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AxisType, PartitionSpec

from capsjax import ops
from tests.ops.precision import float64, relative_error
from tests.ops.routing_table import (
  ENTRIES,
  IN_CAPS,
  OUT_CAPS,
  POSE,
  Example,
  example,
)
from tests.reference import routings as reference

each = pytest.mark.parametrize('name', ENTRIES)
DIM = 4


def names_where(fact):
  return [name for name, entry in ENTRIES.items() if getattr(entry, fact)]


@functools.cache
def compiled(name, normalize=None):
  """Compiles a routing of an `Example`, with couplings."""
  options = {} if normalize is None else {'normalize': normalize}

  @jax.jit
  def route(votes, activations, arrays):
    return ENTRIES[name].function(
      votes, activations, **arrays, **options, return_couplings=True
    )

  return route


@functools.cache
def gradient(name):
  """Compiles the gradients of a weighted sum of all results."""

  def total(arguments, weights):
    found = jax.tree.leaves(compiled(name)(*arguments))
    pairs = zip(found, weights, strict=True)
    return sum(jnp.sum(a * w) for a, w in pairs)

  return jax.jit(jax.value_and_grad(total))


def as_jax(case, dtype=jnp.float32):
  return jax.tree.map(lambda a: jnp.asarray(a, dtype), tuple(case))


def route(name, case, *, dtype=jnp.float32, normalize=None):
  """Returns poses, activations and couplings, in float64."""
  found = jax.tree.leaves(compiled(name, normalize)(*as_jax(case, dtype)))
  assert {array.dtype for array in found} == {jnp.dtype(dtype)}
  return [np.asarray(array).astype(np.float64) for array in found]


def flat(array, *, axes):
  """Makes one axis of the last `axes` ones."""
  return array.reshape(*array.shape[: array.ndim - axes], -1)


def expected(name, votes, activations, arrays, children):
  """Applies the oracle to positions `[p, i, j, *pose]`; results are flat."""
  of_pose = {
    key: flat(value, axes=2) if ENTRIES[name].arrays[key][-1] == 'e' else value
    for key, value in arrays.items()
  }
  return ENTRIES[name].oracle(
    flat(votes, axes=2), activations, children, **of_pose
  )


def of_example(case, number, name):
  """Returns one example of a batch, as an array of one position."""
  arrays = {
    key: value[number : number + 1]
    if ENTRIES[name].arrays[key][0] == 'b'
    else value
    for key, value in case.arrays.items()
  }
  part = slice(number, number + 1)
  return Example(case.votes[part], case.activations[part], arrays)


@each
def test_results_are_those_of_the_oracle(name):
  case = example(name, 2)
  with float64():
    poses, activations, couplings = route(name, case, dtype=jnp.float64)
  in_float32 = route(name, case)
  for b in range(2):
    one = of_example(case, b, name)
    children = reference.own_children(one.votes)
    means, chances, steps = expected(name, *one, children)
    np.testing.assert_allclose(flat(poses, axes=2)[b], means[0], atol=1e-9)
    np.testing.assert_allclose(activations[b], chances[0], atol=1e-9)
    np.testing.assert_allclose(
      couplings[:, b], [step[0] for step in steps], atol=1e-9
    )
  for found, exact in zip(
    in_float32, (poses, activations, couplings), strict=True
  ):
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-4)


FIELDS = ops.OverReceptiveFields((2, 2), (1, 1))


def children_of_fields(strides=(1, 1)):
  """Numbers the children of 2x3 receptive fields of 2x2, with two types."""
  down, right = strides
  shape = down + 2, 2 * right + 2, 2
  grid = np.arange(np.prod(shape)).reshape(shape)
  corners = [[(down * y, right * x) for x in range(3)] for y in range(2)]
  return np.array(
    [
      [grid[y : y + 2, x : x + 2].reshape(-1) for y, x in row]
      for row in corners
    ]
  )


@pytest.mark.parametrize('name', names_where('normalizes'))
def test_parents_at_all_positions_compete(name):
  case = example(name, 2, 3, in_caps=8)
  with float64():
    found = route(name, case, dtype=jnp.float64, normalize=FIELDS)
  poses, activations, couplings = found
  positions = [array.reshape(6, *array.shape[2:]) for array in case[:2]]
  arrays = {
    key: value.reshape(6, *value.shape[2:])
    if ENTRIES[name].arrays[key][0] == 'b'
    else value
    for key, value in case.arrays.items()
  }
  children = children_of_fields().reshape(6, 8)
  means, chances, steps = expected(name, *positions, arrays, children)
  np.testing.assert_allclose(
    flat(poses, axes=2).reshape(means.shape), means, atol=1e-9
  )
  np.testing.assert_allclose(activations.reshape(6, -1), chances, atol=1e-9)
  for step, of_oracle in zip(couplings, steps, strict=True):
    np.testing.assert_allclose(
      step.reshape(of_oracle.shape), of_oracle, atol=1e-9
    )


@each
def test_leading_axes_are_batch_axes(name):
  case = example(name, 2, 3)
  together = route(name, case)
  for index in np.ndindex(2, 3):
    arrays = {
      key: value[index] if ENTRIES[name].arrays[key][0] == 'b' else value
      for key, value in case.arrays.items()
    }
    one = Example(case.votes[index], case.activations[index], arrays)
    poses, activations, couplings = route(name, one)
    assert poses.shape == (OUT_CAPS, *POSE)
    assert activations.shape == (OUT_CAPS,)
    assert couplings.shape[1:] == (IN_CAPS, OUT_CAPS)
    close = {'rtol': 1e-5, 'atol': 1e-5}
    np.testing.assert_allclose(together[0][index], poses, **close)
    np.testing.assert_allclose(together[1][index], activations, **close)
    np.testing.assert_allclose(
      together[2][(slice(None), *index)], couplings, **close
    )


def permuted(name, case, order, axis):
  """Reorders the children (axis 'i') or the parents ('j') of one example."""

  def reorder(array, axes):
    # The axes of a pose count as one.
    return np.take(array, order, axes.index(axis)) if axis in axes else array

  arrays = {
    key: reorder(value, ENTRIES[name].arrays[key].replace('b', ''))
    for key, value in case.arrays.items()
  }
  return Example(
    reorder(case.votes, 'ij'), reorder(case.activations, 'i'), arrays
  )


@each
def test_the_order_of_children_does_not_matter(name):
  order, case = np.array([3, 1, 5, 0, 4, 2]), example(name)
  poses, activations, couplings = route(name, case)
  changed = route(name, permuted(name, case, order, 'i'))
  np.testing.assert_allclose(changed[0], poses, atol=1e-5)
  np.testing.assert_allclose(changed[1], activations, atol=1e-5)
  np.testing.assert_allclose(changed[2], couplings[:, order], atol=1e-5)


@each
def test_parents_are_treated_alike(name):
  order, case = np.array([2, 0, 1]), example(name)
  poses, activations, couplings = route(name, case)
  changed = route(name, permuted(name, case, order, 'j'))
  np.testing.assert_allclose(changed[0], poses[order], atol=1e-5)
  np.testing.assert_allclose(changed[1], activations[order], atol=1e-5)
  np.testing.assert_allclose(changed[2], couplings[..., order], atol=1e-5)


@pytest.mark.parametrize('name', names_where('normalizes'))
def test_couplings_of_a_child_sum_to_1(name):
  *_, couplings = route(name, example(name, 3, scale=10.0))
  np.testing.assert_allclose(couplings.sum(-1), 1, atol=1e-5)
  assert couplings.min() >= 0


@pytest.mark.parametrize('name', names_where('agrees'))
def test_votes_that_agree_attract_couplings(name):
  """The votes for parent 0 are all alike; those for the others scatter."""
  case = example(name, in_caps=30, scale=0.7)
  votes, arrays = case.votes, {k: 0 * v for k, v in case.arrays.items()}
  # Not near the others' mean of 0.
  votes[:, 0] = [[1.5, -1.5], [1.5, -1.5]]
  *_, couplings = route(name, Example(votes, 0 * case.activations + 1, arrays))
  assert np.all(couplings[-1][:, 0] > 1 / OUT_CAPS)


@pytest.mark.parametrize('name', names_where('is_weighted'))
def test_children_that_are_absent_do_not_matter(name):
  case = example(name)
  case.activations[4:] = 0
  with_absent = route(name, case)
  kept = permuted(name, case, np.arange(4), 'i')
  without = route(name, kept)
  np.testing.assert_allclose(with_absent[0], without[0], atol=1e-5)
  # Self-routing and EM divide by, or count, what the present ones have.
  np.testing.assert_allclose(with_absent[1], without[1], atol=1e-5)


EXTREMES = {
  'votes of 0': (0, 1),
  'votes of 1': (1, 1),
  'no active child': ('drawn', 0),
  'nothing at all': (0, 0),
  'large votes': (1e3, 1),
  'small votes': (1e-12, 1),
}


@pytest.mark.parametrize('extreme', EXTREMES)
@each
def test_results_and_gradients_are_finite(name, extreme):
  size, active = EXTREMES[extreme]
  drawn = example(name, 2)
  votes = drawn.votes if size == 'drawn' else 0 * drawn.votes + size
  if size == 1e3:
    votes = 1e3 * drawn.votes
  arguments = as_jax(
    Example(votes, 0 * drawn.activations + active, drawn.arrays)
  )
  results = compiled(name)(*arguments)
  weights = [jnp.ones(a.shape, a.dtype) for a in jax.tree.leaves(results)]
  for found in (results, gradient(name)(arguments, weights)):
    for leaf in jax.tree.leaves(found):
      assert np.all(np.isfinite(leaf))


def test_a_single_child_is_no_reason_for_infinite_densities():
  """A parent with one vote has no variance but the floor."""
  votes = jnp.asarray(np.random.default_rng(0).normal(size=(1, 3, 4)))
  votes = votes.astype(jnp.float32)
  betas = jnp.zeros(3)

  def total(votes):
    capsules = ops.em_routing(votes, jnp.ones(1), beta_u=betas, beta_a=betas)
    return jnp.sum(capsules.poses) + jnp.sum(capsules.activations)

  value, slope = jax.jit(jax.value_and_grad(total))(votes)
  assert np.isfinite(value) and np.all(np.isfinite(slope))


@each
def test_gradients_are_those_of_finite_differences(name):
  """Along random directions, in float64."""
  rng, case = np.random.default_rng(5), example(name, 2)
  with float64():
    arguments = as_jax(case, jnp.float64)
    results = jax.tree.leaves(compiled(name)(*arguments))
    weights = [jnp.asarray(rng.normal(size=a.shape)) for a in results]
    value, slopes = gradient(name)(arguments, weights)
    step = jax.tree.map(lambda a: rng.normal(size=a.shape), arguments)
    along = sum(
      float(jnp.sum(a * b))
      for a, b in zip(
        jax.tree.leaves(slopes), jax.tree.leaves(step), strict=True
      )
    )
    ends = [
      float(
        gradient(name)(
          jax.tree.map(lambda a, s, e=e: a + e * 1e-5 * s, arguments, step),
          weights,
        )[0]
      )
      for e in (-1, 1)
    ]
  assert along == pytest.approx((ends[1] - ends[0]) / 2e-5, rel=1e-5, abs=1e-6)
  assert np.isfinite(value)


def in_shard_map(name, arguments):
  """Splits the batch between two devices."""
  mesh = jax.make_mesh((2,), ('devices',), axis_types=(AxisType.Auto,))
  batch, whole = PartitionSpec('devices'), PartitionSpec()
  votes, activations, arrays = arguments
  specs = {
    key: batch if axes[0] == 'b' else whole
    for key, axes in ENTRIES[name].arrays.items()
  }
  of_results = ops.Capsules(batch, batch), PartitionSpec(None, 'devices')
  shared = jax.shard_map(
    compiled(name),
    mesh=mesh,
    in_specs=(batch, batch, specs),
    out_specs=of_results,
  )
  return jax.jit(shared)(votes, activations, arrays)


def under_vmap(name, arguments):
  axes = {
    key: 0 if axes[0] == 'b' else None
    for key, axes in ENTRIES[name].arrays.items()
  }
  capsules, couplings = jax.vmap(compiled(name), (0, 0, axes))(*arguments)
  return capsules, jnp.moveaxis(couplings, 1, 0)


def in_scan(name, arguments):
  def body(carry, _):
    return carry, compiled(name)(*arguments)

  _, results = jax.lax.scan(body, 0, length=2)
  return jax.tree.map(lambda a: a[1], results)


def exported(name, arguments):
  """Exports with a batch of any size, for a CPU and two accelerators."""
  (batch,) = export.symbolic_shape('batch')
  axes = ENTRIES[name].arrays
  votes, activations, arrays = arguments

  def like(array, *, is_batched=True):
    shape = (batch, *array.shape[1:]) if is_batched else array.shape
    return jax.ShapeDtypeStruct(shape, array.dtype)

  program = export.export(compiled(name), platforms=('cpu', 'cuda', 'tpu'))(
    like(votes),
    like(activations),
    {k: like(a, is_batched=axes[k][0] == 'b') for k, a in arrays.items()},
  )
  return program.call(*arguments)


TRANSFORMATIONS = {
  'vmap': under_vmap,
  'scan': in_scan,
  'shard_map': in_shard_map,
  'export': exported,
  'checkpoint': lambda name, arguments: jax.checkpoint(compiled(name))(
    *arguments
  ),
}


@pytest.mark.parametrize('transformation', TRANSFORMATIONS)
@each
def test_results_are_the_same_under(transformation, name):
  arguments = as_jax(example(name, 2))
  found = TRANSFORMATIONS[transformation](name, arguments)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    found,
    compiled(name)(*arguments),
  )


@each
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_is_that_of_the_results_only(name, dtype):
  """Only arguments and results are rounded, not what is in between."""
  case = jax.tree.map(
    lambda a: np.asarray(jnp.asarray(a, dtype), np.float32),
    tuple(example(name)),
  )
  found = route(name, case, dtype=getattr(jnp, dtype))
  exact = route(name, case)
  for half, single in zip(found, exact, strict=True):
    assert relative_error(half, single) < 2 * float(jnp.finfo(dtype).eps)


@pytest.mark.parametrize(
  'name',
  ['agreement', 'em', 'em_official', 'variational', 'inverted_attention'],
)
def test_many_iterations_stay_finite(name):
  case = as_jax(example(name, 2))
  entry = ENTRIES[name]
  options = entry.function.keywords | {'num_iterations': 40}
  capsules, couplings = jax.jit(
    lambda *a: entry.function.func(
      a[0], a[1], **a[2], **options, return_couplings=True
    )
  )(*case)
  assert couplings.shape[0] == 40
  for leaf in jax.tree.leaves((capsules, couplings)):
    assert np.all(np.isfinite(leaf))
  np.testing.assert_allclose(couplings[-1].sum(-1), 1, atol=1e-4)
  # It has settled.
  np.testing.assert_allclose(couplings[-1], couplings[-2], atol=0.02)


def test_every_routing_is_in_the_table():
  functions = {entry.function.func.__name__ for entry in ENTRIES.values()}
  assert functions == {name for name in ops.__all__ if 'routing' in name} - {
    'dynamic_routing',
    'fused_dynamic_routing',
    'routing_iteration',
  }


@pytest.mark.parametrize(
  ('votes', 'activations'), [((2, 5, 3), (2, 5)), ((2, 4, 3, 4), (2, 5))]
)
def test_votes_of_other_capsules_are_refused(votes, activations):
  words = re.escape('(2, 5, out_caps, *pose)')
  with pytest.raises(ValueError, match=words):
    ops.no_routing(jnp.zeros(votes), jnp.zeros(activations))


@pytest.mark.parametrize('strides', [(1, 1), (2, 1), (3, 2)])
def test_normalisation_survives_weights_of_any_size(strides):
  """Against softmaxes over the parents of one child after another."""
  fields = ops.OverReceptiveFields((2, 2), strides)
  rng = np.random.default_rng(0)
  logits = 200 * rng.normal(size=(2, 3, 8, 3))
  children = children_of_fields(strides)
  found = np.asarray(jax.jit(fields)(jnp.asarray(logits, jnp.float32)))
  for child in np.unique(children):
    own = logits[children == child]
    shares = np.exp(own - own.max())
    np.testing.assert_allclose(
      found[children == child], shares / shares.sum(), atol=1e-4
    )
