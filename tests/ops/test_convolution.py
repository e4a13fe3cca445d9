"""The convolution equals the direct sum, whichever method computes it."""

import functools
import importlib
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export, lax

from capsjax import ops
from capsjax.ops import bilinear, phases
from capsjax.ops.convolution_cost import choose_tile
from capsjax.ops.window import Window
from tests.ops.precision import float64, relative_error
from tests.reference import convolution as reference

# The function of the same name hides the module from `import`.
MODULE = importlib.import_module('capsjax.ops.convolution')


class Case(NamedTuple):
  """The shapes of one convolution."""

  image: tuple[int, int]
  kernel: tuple[int, int]
  strides: tuple[int, int] = (1, 1)
  padding: str = 'VALID'
  batch: int = 2
  channels: int = 2
  features: int = 3

  @property
  def window(self) -> Window:
    return Window.create(self.image, self.kernel, self.strides, self.padding)

  @property
  def tile(self) -> tuple[int, int] | None:
    return choose_tile(self.window, self.batch, self.channels, self.features)

  @property
  def options(self) -> dict:
    return {'strides': self.strides, 'padding': self.padding}

  def arrays(self, dtype=np.float32) -> tuple[np.ndarray, ...]:
    """Returns inputs, kernel, and weights of the outputs for a loss."""
    rng = np.random.default_rng(0)
    image = (self.batch, *self.image, self.channels)
    kernel = (*self.kernel, self.channels, self.features)
    outputs = (self.batch, *self.window.outputs, self.features)
    shapes = (image, kernel, outputs)
    # Rounded to float32, so that all dtypes start from the same numbers.
    return tuple(
      rng.normal(size=shape).astype(np.float32).astype(dtype)
      for shape in shapes
    )


GEOMETRIES = {
  '1x1': Case((5, 6), (1, 1)),
  '1x1_strided': Case((5, 6), (1, 1), (2, 3)),
  '3x3': Case((7, 6), (3, 3)),
  '3x3_same': Case((7, 6), (3, 3), padding='SAME'),
  '3x3_strided_same': Case((7, 10), (3, 3), (2, 2), 'SAME'),
  '3x3_large_steps': Case((11, 10), (3, 3), (4, 5)),
  '5x5_strided': Case((12, 13), (5, 5), (2, 2)),
  '5x5_by_3_same': Case((12, 13), (5, 5), (3, 3), 'SAME'),
  '9x9_strided': Case((16, 15), (9, 9), (2, 2)),
  '9x9_same_larger_than_image': Case((6, 7), (9, 9), padding='SAME'),
  'rectangular': Case((9, 12), (2, 5), (1, 3)),
  'rectangular_same': Case((9, 12), (5, 2), (3, 1), 'SAME'),
  'kernel_as_large_as_image': Case((5, 4), (5, 4)),
  'one_image_one_channel': Case((8, 7), (3, 4), (2, 1), 'VALID', 1, 1, 1),
}
# Methods: patches, one tile, and many tiles, the last of which reach beyond the
# outputs.
METHODS = {
  'patches': lambda outputs: None,
  'one_tile': lambda outputs: outputs,
  'tiles_of_2x3': lambda outputs: tuple(map(min, (2, 3), outputs)),
}
each_geometry = pytest.mark.parametrize('geometry', GEOMETRIES)
each_method = pytest.mark.parametrize('method', METHODS)


def direct(inputs, kernel, *, strides, padding):
  return lax.conv_general_dilated(
    inputs,
    kernel,
    strides,
    padding,
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
  )


def value_and_gradients(function, case, dtype=np.float32):
  """Returns outputs and the gradients of their weighted sum, in a dtype."""

  @jax.jit
  def compute(inputs, kernel, weights):
    convolve = functools.partial(function, **case.options)
    outputs, pull = jax.vjp(convolve, inputs, kernel)
    return outputs, *pull(weights)

  found = compute(*(jnp.asarray(a, dtype) for a in case.arrays()))
  assert all(array.dtype == dtype for array in found)
  return found


@functools.cache
def expected(case):
  """Computes the same by JAX's own convolution, in float64."""
  with float64():
    return value_and_gradients(direct, case, np.float64)


def force(monkeypatch, method):
  def tile(window, batch, channels, features):
    return METHODS[method](window.outputs)

  monkeypatch.setattr(MODULE, 'choose_tile', tile)


def assert_near(found, case, tolerance):
  names = ('outputs', 'gradient of inputs', 'gradient of kernel')
  for name, array, other in zip(names, found, expected(case), strict=True):
    assert array.shape == other.shape
    assert relative_error(array, other) < tolerance, name


@each_geometry
def test_the_expectation_equals_the_reference(geometry):
  case = GEOMETRIES[geometry]
  inputs, kernel, _ = case.arrays(np.float64)
  outputs = reference.convolution(inputs, kernel, **case.options)
  assert case.window.outputs == outputs.shape[1:3]
  assert relative_error(expected(case)[0], outputs) < 1e-12


@each_method
@each_geometry
def test_every_method_is_exact_in_float64(monkeypatch, geometry, method):
  force(monkeypatch, method)
  case = GEOMETRIES[geometry]
  with float64():
    found = value_and_gradients(ops.convolution, case, np.float64)
  assert_near(found, case, 1e-12)


@each_geometry
def test_phases_of_the_strides_are_exact_in_float64(geometry):
  case = GEOMETRIES[geometry]

  def by_phases(inputs, kernel, **options):
    del options
    window, *arrays = phases.to_stride_one(case.window, inputs, kernel)
    assert window.strides == (1, 1)
    return direct(*arrays, strides=window.strides, padding=window.padding)

  with float64():
    found = value_and_gradients(by_phases, case, np.float64)
  assert_near(found, case, 1e-12)


# Smaller versions of the networks' layers, and the method chosen for each.
CHOSEN = {
  'paper_first': (Case((28, 28), (9, 9), batch=3, channels=1), 'patches'),
  'paper_first_one': (
    Case((28, 28), (9, 9), batch=1, channels=1, features=16),
    'patches',
  ),
  'paper_primary': (
    Case((20, 20), (9, 9), (2, 2), 'VALID', 16, 48, 48),
    'bilinear',
  ),
  'paper_primary_one': (
    Case((20, 20), (9, 9), (2, 2), 'VALID', 1, 48, 48),
    'patches',
  ),
  'baseline_same': (
    Case((14, 14), (5, 5), (1, 1), 'SAME', 8, 32, 32),
    'bilinear',
  ),
  'odd_same': (Case((15, 13), (9, 9), (1, 1), 'SAME', 8, 24, 40), 'bilinear'),
  'by_three': (Case((15, 14), (9, 9), (3, 3), 'SAME', 8, 32, 32), 'bilinear'),
}


@pytest.mark.parametrize('name', CHOSEN)
def test_the_chosen_method_is_exact_to_1e_5_in_float32(name):
  case, method = CHOSEN[name]
  assert ('patches' if case.tile is None else 'bilinear') == method
  assert_near(value_and_gradients(ops.convolution, case), case, 1e-5)


@each_method
@pytest.mark.parametrize('batch', [(), (2, 3)], ids=['batch0', 'batch2'])
def test_any_number_of_batch_axes(monkeypatch, method, batch):
  force(monkeypatch, method)
  case = GEOMETRIES['3x3_strided_same']._replace(batch=6)
  inputs, kernel, _ = map(jnp.asarray, case.arrays())
  axes = inputs.reshape(*batch, -1, *inputs.shape[1:])[..., 0, :, :, :]
  outputs = ops.convolution(axes, kernel, **case.options)
  expected = direct(inputs, kernel, **case.options)
  expected = expected.reshape(*batch, -1, *expected.shape[1:])[..., 0, :, :, :]
  assert outputs.shape == expected.shape
  np.testing.assert_allclose(outputs, expected, atol=1e-4)


@each_method
def test_an_empty_batch_is_a_batch(monkeypatch, method):
  force(monkeypatch, method)
  case = GEOMETRIES['3x3']._replace(batch=0)
  outputs, d_inputs, d_kernel = value_and_gradients(ops.convolution, case)
  assert outputs.shape == (0, *case.window.outputs, case.features)
  assert d_inputs.shape == (0, *case.image, case.channels)
  np.testing.assert_array_equal(d_kernel, 0)


@pytest.mark.parametrize('image', [(8, 20), (20, 8)])
def test_a_kernel_larger_than_the_image_is_refused(image):
  inputs = jax.ShapeDtypeStruct((2, *image, 1), jnp.float32)
  kernel = jax.ShapeDtypeStruct((9, 9, 1, 4), jnp.float32)
  with pytest.raises(ValueError, match=r'does not fit into an image of \('):
    jax.eval_shape(ops.convolution, inputs, kernel)
  same = functools.partial(ops.convolution, padding='SAME')
  assert jax.eval_shape(same, inputs, kernel).shape == (2, *image, 4)


def test_an_unknown_padding_is_refused():
  with pytest.raises(ValueError, match="must be 'VALID' or 'SAME', not 'FULL'"):
    ops.convolution(
      jnp.zeros((5, 5, 1)), jnp.zeros((3, 3, 1, 4)), padding='FULL'
    )


def lowered_for(platform, case=GEOMETRIES['9x9_strided']):
  """Returns the program of a forward and a backward pass for a platform."""

  def loss(inputs, kernel):
    return jnp.sum(jnp.sin(ops.convolution(inputs, kernel, **case.options)))

  shapes = [jax.ShapeDtypeStruct(a.shape, a.dtype) for a in case.arrays()[:2]]
  step = jax.jit(jax.value_and_grad(loss, (0, 1)))
  return export.export(step, platforms=[platform])(*shapes).mlir_module()


@pytest.mark.parametrize('platform', ['cuda', 'tpu'])
def test_accelerators_convolve_without_having_one(platform):
  # Forward, and the gradients of inputs and kernel.
  assert lowered_for(platform).count('stablehlo.convolution') == 3


@pytest.mark.parametrize(
  ('image', 'by_phases'),
  [((20, 20), True), ((24, 24), True), ((28, 28), False)],
)
def test_a_gpu_gets_no_filters_full_of_zeros(image, by_phases):
  """XLA dilates the outputs' gradient where the kernel covers the outputs."""
  case = Case(image, (9, 9), (2, 2))
  is_strided = 'stride = [2, 2]' in lowered_for('cuda', case)
  assert is_strided != by_phases
  assert 'stride = [2, 2]' in lowered_for('tpu', case)


@each_method
def test_only_inputs_and_kernel_are_kept_for_the_backward_pass(
  monkeypatch, method
):
  """Patches or transforms for the CPU would be held on every platform."""
  force(monkeypatch, method)
  case = GEOMETRIES['9x9_strided']
  inputs, kernel, _ = map(jnp.asarray, case.arrays())
  convolve = functools.partial(ops.convolution, **case.options)
  _, pull = jax.vjp(convolve, inputs, kernel)
  held = sum(leaf.nbytes for leaf in jax.tree.leaves(pull))
  assert held == inputs.nbytes + kernel.nbytes


@pytest.mark.parametrize('method', ['one_tile', 'tiles_of_2x3'])
def test_one_program_transforms_inputs_and_kernel_once(monkeypatch, method):
  """The backward pass transforms them again, and XLA merges the two."""
  force(monkeypatch, method)
  case = GEOMETRIES['9x9_strided']._replace(channels=8, features=8)
  arrays = tuple(map(jnp.asarray, case.arrays()))
  convolve = functools.partial(ops.convolution, **case.options)

  def forward(inputs, kernel, cotangent):
    del cotangent
    return convolve(inputs, kernel)

  def backward(inputs, kernel, cotangent):
    return jax.vjp(convolve, inputs, kernel)[1](cotangent)

  def both(*arrays):
    return forward(*arrays), backward(*arrays)

  def operations(function):
    return jax.jit(function).lower(*arrays).compile().cost_analysis()['flops']

  window, tile = case.window, METHODS[method](case.window.outputs)
  _, b, g = bilinear.matrices(tile, phases.taps(window))
  columns = math.prod(window.strides) * case.channels
  rows = math.prod(bilinear.num_tiles(window, tile)) * case.batch
  transforms = 2 * columns * (b.size * rows + g.size * case.features)
  shared = operations(forward) + operations(backward) - operations(both)
  assert shared == pytest.approx(transforms, rel=0.01)


@each_method
def test_the_cpu_convolves_by_matrix_products(monkeypatch, method):
  force(monkeypatch, method)
  program = lowered_for('cpu')
  assert 'stablehlo.dot_general' in program
  # XLA's own is fast forward, with few input channels, and nowhere else.
  count = program.count('stablehlo.convolution')
  assert count == (1 if method == 'patches' else 0)
