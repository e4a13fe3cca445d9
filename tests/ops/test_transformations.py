"""Every public op under every transformation of JAX.

Each is compared with the same transformation of the plain formula in float64.
"""

import functools
import re
import sys
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from capsjax import ops
from capsjax.ops import routings
from tests.ops import formulas
from tests.ops.precision import float64, relative_error

RNG = np.random.default_rng(0)


class Case(NamedTuple):
  """An op and its formula.

  Attributes:
    op: the function under test.
    formula: the same, as plainly as possible.
    batched: the first arguments, with a batch of 4 as their first axis.
    shared: the other arguments.
    has_gradient: whether the results depend smoothly on the arguments.
  """

  op: Callable
  formula: Callable
  batched: tuple[np.ndarray, ...]
  shared: tuple[np.ndarray, ...] = ()
  has_gradient: bool = True


def normal(*shape):
  return RNG.normal(size=shape)


def uniform(*shape):
  return RNG.uniform(size=shape)


LENGTHS = uniform(4, 3, 5)
TARGETS = np.eye(5)[RNG.integers(0, 5, (4, 3))]
INPUTS, KERNEL = normal(4, 12, 3), 0.5 * normal(12, 5, 3, 4)
strided = {'strides': (2, 2)}
partial = functools.partial


def primary_capsules(features, bias):
  return ops.primary_capsules(
    features, num_types=2, capsule_dim=3, scale=0.5, bias=bias
  )


CASES = {
  'squash': Case(ops.squash, formulas.squash, (normal(4, 3, 5),)),
  'exponential squash': Case(
    ops.exponential_squash, formulas.exponential_squash, (normal(4, 3, 5),)
  ),
  'receptive fields': Case(
    partial(
      ops.receptive_fields, kernel_size=(2, 2), strides=(1, 2), num_axes=1
    ),
    formulas.receptive_fields,
    (normal(4, 3, 5, 2),),
  ),
  'lengths': Case(ops.lengths, formulas.lengths, (normal(4, 3, 5),)),
  'primary capsules': Case(
    primary_capsules,
    partial(formulas.primary_capsules, num_types=2, scale=0.5),
    (normal(4, 2, 3, 6),),
    (normal(2, 3),),
  ),
  'votes': Case(
    ops.compute_votes, formulas.compute_votes, (INPUTS,), (KERNEL,)
  ),
  'plain routing': Case(
    ops.dynamic_routing, formulas.dynamic_routing, (normal(4, 6, 5, 3),)
  ),
  'routing iteration': Case(
    ops.routing_iteration,
    formulas.routing_iteration,
    (normal(4, 6, 5, 3), normal(4, 6, 5)),
  ),
  'fused routing': Case(
    ops.fused_dynamic_routing, formulas.route, (INPUTS,), (KERNEL,)
  ),
  'fused routing in blocks': Case(
    partial(ops.fused_dynamic_routing, block_bytes=500),
    formulas.route,
    (INPUTS,),
    (KERNEL,),
  ),
  'convolution by patches': Case(
    partial(ops.convolution, **strided),
    partial(formulas.convolution, **strided),
    (normal(4, 7, 7, 2),),
    (0.3 * normal(3, 3, 2, 3),),
  ),
  'convolution by transforms': Case(
    partial(ops.convolution, **strided),
    partial(formulas.convolution, **strided),
    (normal(4, 7, 8, 2),),
    (0.3 * normal(3, 3, 2, 3),),
  ),
  'margin loss': Case(
    ops.margin_loss, formulas.margin_loss, (LENGTHS, TARGETS)
  ),
  'spread loss': Case(
    ops.spread_loss, formulas.spread_loss, (LENGTHS, TARGETS)
  ),
  'activation nll': Case(
    ops.activation_nll, formulas.activation_nll, (LENGTHS, TARGETS)
  ),
  'reconstruction loss': Case(
    ops.reconstruction_loss,
    formulas.reconstruction_loss,
    (uniform(4, 6, 5, 2), uniform(4, 6, 5, 2)),
  ),
  'mask capsules': Case(
    ops.mask_capsules, formulas.mask_capsules, (normal(4, 3, 5, 2), TARGETS)
  ),
  'longest mask': Case(
    ops.longest_mask, formulas.longest_mask, (LENGTHS,), has_gradient=False
  ),
  'top k mask': Case(
    partial(ops.top_k_mask, k=2),
    partial(formulas.top_k_mask, k=2),
    (LENGTHS,),
    has_gradient=False,
  ),
  'top k masks': Case(
    partial(ops.top_k_masks, k=2),
    partial(formulas.top_k_masks, k=2),
    (LENGTHS,),
    has_gradient=False,
  ),
  'label mask': Case(
    partial(ops.label_mask, num_classes=5),
    partial(formulas.label_mask, num_classes=5),
    (RNG.integers(0, 5, (4, 3)),),
    has_gradient=False,
  ),
}


@pytest.fixture
def case(name, monkeypatch) -> Case:
  # Transforms suit larger convolutions, whose formula would take longer.
  tile = (2, 2) if name == 'convolution by transforms' else None
  module = sys.modules['capsjax.ops.convolution']
  monkeypatch.setattr(module, 'choose_tile', lambda *shapes: tile)
  return CASES[name]


def test_every_op_is_here():
  tested = {getattr(c.op, 'func', c.op).__name__ for c in CASES.values()}
  # Those of votes and activations have tests of their own.
  tested |= set(routings.__all__)
  types = {'Capsules', 'NormalizeFn', 'Routed', 'SquashFn'}
  assert tested == set(ops.__all__) - types


def split(arrays):
  """Splits the batch of 4 into two axes."""
  return [array.reshape(2, 2, *array.shape[1:]) for array in arrays]


def of_batched(function, shared):
  return lambda *batched: function(*batched, *shared)


def vmap_second_axis(f, batched, shared):
  mapped = jax.vmap(of_batched(f, shared), 1, -1)
  return mapped(*(jnp.stack([x, x[::-1]], 1) for x in batched))


def vmap_everything(f, batched, shared):
  return jax.vmap(f)(
    *(jnp.stack([x, x[::-1]]) for x in batched),
    *(jnp.stack([x, 0.5 * x]) for x in shared),
  )


def vmap_last(f, batched, shared):
  """Maps over the kernel, if there is one, and only over it."""
  *others, last = *batched, *shared
  return jax.vmap(lambda x: f(*others, x))(jnp.stack([last, last[::-1]]))


def pmap(f, batched, shared):
  return jax.pmap(of_batched(f, shared))(*split(batched))


def scan(f, batched, shared):
  return jax.lax.map(lambda xs: f(*xs, *shared), batched)


def vmap_twice(f, batched, shared):
  return jax.vmap(jax.vmap(of_batched(f, shared)))(*split(batched))


# Each computes something from a function and its arguments.
TRANSFORMATIONS = {
  'call': lambda f, batched, shared: f(*batched, *shared),
  'jit': lambda f, batched, shared: jax.jit(f)(*batched, *shared),
  'one example': lambda f, batched, shared: f(
    *(x[0] for x in batched), *shared
  ),
  'two batch axes': lambda f, batched, shared: f(*split(batched), *shared),
  'vmap': lambda f, batched, shared: jax.vmap(of_batched(f, shared))(*batched),
  'vmap of the second axis': vmap_second_axis,
  'vmap of everything': vmap_everything,
  'vmap of vmap': vmap_twice,
  'vmap of the last argument': vmap_last,
  'scan': scan,
  'pmap': pmap,
}


def loss_of(function):
  """Returns a scalar function with derivatives of any order."""

  def loss(*arguments):
    results = jax.tree.leaves(function(*arguments))
    # Neither odd nor even, so that nothing cancels.
    return sum(jnp.sum(jnp.sin(result + 0.3)) for result in results)

  return loss


def gradient_of(function, arguments):
  return jax.grad(loss_of(function), tuple(range(len(arguments))))(*arguments)


def grad(f, batched, shared):
  return gradient_of(f, [*batched, *shared])


def under(transformation):
  """Differentiates what a transformation computes."""

  def gradient(f, batched, shared):
    def transformed(*arguments):
      count = len(batched)
      return transformation(f, arguments[:count], arguments[count:])

    return gradient_of(transformed, [*batched, *shared])

  return gradient


def per_example(f, batched, shared):
  """The gradient of each example, of the shared arguments too."""
  return jax.vmap(lambda *xs: grad(f, xs, shared))(*batched)


def per_example_of_batched(f, batched, shared):
  return jax.vmap(lambda *xs: gradient_of(of_batched(f, shared), xs))(*batched)


def changes_of(arrays):
  return [jnp.cos(array) for array in arrays]


def jvp(f, batched, shared):
  arguments = [*batched, *shared]
  return jax.jvp(f, arguments, changes_of(arguments))


def jvp_of_batched(f, batched, shared):
  function = of_batched(f, shared)
  return jax.jvp(function, list(batched), changes_of(batched))


def scaled(f, batched, shared):
  """Returns a function of one factor for each argument."""
  arguments = [*batched, *shared]
  return lambda factors: f(
    *(x * a for x, a in zip(factors, arguments, strict=True))
  )


def jacfwd(f, batched, shared):
  ones = jnp.ones(len(batched) + len(shared), batched[0].dtype)
  return jax.jacfwd(scaled(f, batched, shared))(ones)


def jacrev(f, batched, shared):
  def two(*arguments):
    results = jax.tree.leaves(f(*arguments))
    sums = (jnp.stack([jnp.sum(jnp.sin(r)), jnp.sum(r**2)]) for r in results)
    return sum(sums)

  arguments = [*batched, *shared]
  return jax.jacrev(two, tuple(range(len(arguments))))(*arguments)


def forward_over_reverse(f, batched, shared):
  """The product of the Hessian with a vector."""
  arguments = [*batched, *shared]
  return jax.jvp(
    lambda *a: gradient_of(f, a), arguments, changes_of(arguments)
  )[1]


def reverse_over_forward(f, batched, shared):
  arguments = [*batched, *shared]

  def change(*a):
    return jax.jvp(f, a, tuple(changes_of(arguments)))[1]

  return gradient_of(change, arguments)


def hessian(f, batched, shared):
  ones = jnp.ones(len(batched) + len(shared), batched[0].dtype)
  return jax.hessian(loss_of(scaled(f, batched, shared)))(ones)


FIRST_DERIVATIVES = {
  'grad': grad,
  'grad of vmap': under(TRANSFORMATIONS['vmap']),
  'grad of vmap of everything': under(vmap_everything),
  'grad of vmap of vmap': under(vmap_twice),
  'grad of vmap of the last argument': under(vmap_last),
  'grad of scan': under(scan),
  'grad of remat': lambda f, *arguments: grad(jax.checkpoint(f), *arguments),
  'gradient of each example': per_example,
  'gradient of each example, of the batched': per_example_of_batched,
  'jvp': jvp,
  'jvp of the batched': jvp_of_batched,
  'jvp of vmap': lambda f, batched, shared: jvp(
    lambda *a: TRANSFORMATIONS['vmap'](f, a[: len(batched)], a[len(batched) :]),
    batched,
    shared,
  ),
  'vmap of jvp': lambda f, batched, shared: jax.vmap(
    lambda *xs: jvp(f, xs, shared)
  )(*batched),
  'jacfwd': jacfwd,
  'jacrev': jacrev,
}
SECOND_DERIVATIVES = {
  'grad of grad': lambda f, batched, shared: gradient_of(
    lambda *a: gradient_of(f, a), [*batched, *shared]
  ),
  'jvp of grad': forward_over_reverse,
  'grad of jvp': reverse_over_forward,
  'hessian': hessian,
}


def as_jax(arrays, dtype):
  return [
    jnp.asarray(a, jnp.int32 if a.dtype.kind == 'i' else dtype) for a in arrays
  ]


def expected(case, transformation):
  """Applies a transformation to the formula in float64."""
  with (
    float64(),
    jax.numpy_dtype_promotion('standard'),
    jax.numpy_rank_promotion('allow'),
  ):
    arrays = (as_jax(a, jnp.float64) for a in (case.batched, case.shared))
    transformed = partial(transformation, case.formula)
    # JAX warns of pmap inside jit.
    compile = transformation is not pmap
    found = (jax.jit(transformed) if compile else transformed)(*arrays)
    return [np.asarray(array) for array in jax.tree.leaves(found)]


def assert_same(found, wanted, tolerance):
  found = jax.tree.leaves(found)
  assert len(found) == len(wanted)
  for array, other in zip(found, wanted, strict=True):
    assert array.shape == other.shape
    assert relative_error(array, other) < tolerance


@pytest.mark.parametrize('transformation', TRANSFORMATIONS)
@pytest.mark.parametrize('name', CASES)
def test_a_transformation_equals_that_of_the_formula(case, transformation):
  transform = TRANSFORMATIONS[transformation]
  arrays = (as_jax(a, jnp.float32) for a in (case.batched, case.shared))
  found = transform(case.op, *arrays)
  assert_same(found, expected(case, transform), 1e-5)


SMOOTH = [name for name, case in CASES.items() if case.has_gradient]


@pytest.mark.parametrize('derivative', FIRST_DERIVATIVES)
@pytest.mark.parametrize('name', SMOOTH)
def test_a_derivative_equals_that_of_the_formula(case, derivative):
  assert_same_derivative(case, FIRST_DERIVATIVES[derivative])


# The others are made of JAX's own operations.
@pytest.mark.parametrize('derivative', SECOND_DERIVATIVES)
@pytest.mark.parametrize(
  'name', [n for n in SMOOTH if re.search('squash|lengths|fused|convol', n)]
)
def test_a_second_derivative_equals_that_of_the_formula(case, derivative):
  assert_same_derivative(case, SECOND_DERIVATIVES[derivative])


def assert_same_derivative(case, transform):
  arrays = (as_jax(a, jnp.float32) for a in (case.batched, case.shared))
  found = jax.jit(partial(transform, case.op))(*arrays)
  assert_same(found, expected(case, transform), 1e-4)


def gradient_of_sum(f, batched, shared):
  """One that rounds nothing itself."""

  def total(*arguments):
    return sum(map(jnp.sum, jax.tree.leaves(f(*arguments))))

  arguments = [*batched, *shared]
  return jax.grad(total, tuple(range(len(arguments))))(*arguments)


@pytest.mark.parametrize('dtype', [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize('name', SMOOTH)
def test_half_precision_rounds_only_arguments_and_results(case, dtype):
  """Sums are wide, so that errors are a few times the dtype's epsilon."""
  halves = [as_jax(a, dtype) for a in (case.batched, case.shared)]
  rounded = [[np.asarray(a, np.float64) for a in arrays] for arrays in halves]
  case = case._replace(batched=rounded[0], shared=rounded[1])
  tolerance = 4 * float(jnp.finfo(dtype).eps)
  for transform in (TRANSFORMATIONS['jit'], gradient_of_sum):
    found = jax.jit(partial(transform, case.op))(*halves)
    assert {array.dtype for array in jax.tree.leaves(found)} == {
      jnp.dtype(dtype)
    }
    assert_same(found, expected(case, transform), tolerance)


@pytest.mark.parametrize('name', SMOOTH)
def test_float64_is_exact(case):
  with float64():
    arrays = [as_jax(a, jnp.float64) for a in (case.batched, case.shared)]
    found = jax.jit(partial(grad, case.op))(*arrays)
  assert_same(found, expected(case, grad), 1e-12)


@pytest.mark.parametrize(
  'name', ['convolution by patches', 'fused routing in blocks']
)
def test_the_precision_of_products_is_that_of_tracing(case):
  """Though methods are traced later, when the program is compiled."""

  def precise(*arguments):
    with jax.default_matmul_precision('highest'):
      return grad(case.op, arguments[:1], arguments[1:])

  arrays = as_jax((*case.batched, *case.shared), jnp.float32)
  for platform in ('cpu', 'cuda', 'tpu'):
    program = jax.jit(precise).trace(*arrays)
    text = program.lower(lowering_platforms=(platform,)).as_text()
    products = re.findall('stablehlo.(?:dot_general|convolution).*', text)
    assert products
    assert all('HIGHEST' in product for product in products)
