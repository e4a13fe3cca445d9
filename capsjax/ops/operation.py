"""Operations that have a method per platform and that JAX can transform.

`jax.custom_vjp` can replace a gradient, but neither forward-mode derivatives
nor what `jax.vmap` does: it would map the method over the examples one by one,
and its backward pass would hold a kernel's gradient for each of them.
`lax.platform_dependent` would save the residuals of every platform. So the
operations here are JAX primitives. Under `vmap` they fold the mapped axis into
the batch if no shared argument is mapped.
"""

import abc
import dataclasses
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

# Those that an operation may have a method of its own for.
_PLATFORMS = ('cpu', 'cuda')

# Maps arrays to a sequence of arrays.
Function = Callable[..., Sequence[Any]]


class Method(NamedTuple):
  """A way to compute an operation.

  Attributes:
    forward: `forward(options, *arguments)` returns the result, or several.
    gradient: `gradient(options, *arguments, *saved_results, *cotangents)`
      returns the gradient of every argument; the cotangent of a result that
      does not matter is None. If it is None, `forward` is differentiated.
  """

  forward: Function
  gradient: Function | None = None


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Operation:
  """A function of options and arrays, with a method per platform.

  No example may depend on another.

  Attributes:
    name: as programs show it.
    argument_axes: the batch axis of each argument; None if all examples share
      the argument.
    result_axes: the batch axis of each result.
    choose: `choose(platform, options, *arguments)` returns the method for
      arguments of these shapes on 'cpu', 'cuda' or 'any' other platform, whose
      method also defines the results' shapes.
    saved: the positions of results that the gradients need.
  """

  name: str
  argument_axes: tuple[int | None, ...]
  result_axes: tuple[int, ...]
  choose: Callable[..., Method]
  saved: tuple[int, ...] = ()

  def __call__(
    self, options: Hashable, *arguments: jax.Array
  ) -> Sequence[jax.Array]:
    """Applies the operation.

    Args:
      options: what is known when the program is compiled.
      *arguments: the arrays.
    """
    config: Any = jax.config  # its type lacks the field in some versions
    precision = config.jax_default_matmul_precision
    call = _Plain(self, options, precision)
    return _apply.bind(*_vary_alike(arguments), call=call)

  def __repr__(self) -> str:
    """Returns the name."""
    return self.name


class _Call(abc.ABC):
  """Something to compute: an operation, or what JAX makes of it."""

  @property
  @abc.abstractmethod
  def argument_axes(self) -> tuple[int | None, ...]:
    """The batch axis of each argument, or None."""

  @property
  @abc.abstractmethod
  def result_axes(self) -> tuple[int | None, ...]:
    """The batch axis of each result; None if it cannot be folded into."""

  @property
  def saved(self) -> tuple[int, ...]:
    """The positions of results that the gradients need."""
    return ()

  @abc.abstractmethod
  def on(self, platform: str) -> Function:
    """Returns the function to compile for a platform."""

  def result_types(self, *types: Any) -> Sequence[Any]:
    """Returns shape, dtype and sharding of the results, from the arguments'."""
    function = self.on('any')
    return jax.make_jaxpr(lambda *a: tuple(function(*a)))(*types).out_avals

  def gradient_on(self, platform: str) -> Function:
    """Returns the function that computes the gradients of all arguments.

    Its arguments are those of the call, the saved results, and the cotangents
    of all results, None where they are zero.
    """
    count, function = len(self.argument_axes), self.on(platform)

    def gradient(*arrays):
      results, pull_back = jax.vjp(
        lambda *arguments: tuple(function(*arguments)), *arrays[:count]
      )
      cotangents = arrays[count + len(self.saved) :]
      return pull_back(
        tuple(
          jnp.zeros_like(result) if cotangent is None else cotangent
          for result, cotangent in zip(results, cotangents, strict=True)
        )
      )

    return gradient


@dataclasses.dataclass(frozen=True)
class _Plain(_Call):
  """An operation itself.

  Methods are called when a program is compiled, so they need to be told the
  precision of products that held when it was traced.
  """

  operation: Operation
  options: Hashable
  precision: str | None

  @property
  def argument_axes(self):
    return self.operation.argument_axes

  @property
  def result_axes(self):
    return self.operation.result_axes

  @property
  def saved(self):
    return self.operation.saved

  def on(self, platform):
    def forward(*arguments):
      method = self.operation.choose(platform, self.options, *arguments)
      with jax.default_matmul_precision(self.precision):
        return jax.tree.leaves(method.forward(self.options, *arguments))

    return forward

  def gradient_on(self, platform):
    differentiated = super().gradient_on(platform)

    def gradient(*arrays):
      arguments = arrays[: len(self.argument_axes)]
      method = self.operation.choose(platform, self.options, *arguments)
      if method.gradient is None:
        return differentiated(*arrays)
      with jax.default_matmul_precision(self.precision):
        return method.gradient(self.options, *arrays)

    return gradient


@dataclasses.dataclass(frozen=True)
class _Gradient(_Call):
  """The gradients of some arguments of a call.

  Its arguments are those of the call, the saved results, and the cotangents of
  the results at `given`; those of the others are zero.
  """

  of: _Call
  given: tuple[int, ...]
  wanted: tuple[int, ...]

  @property
  def argument_axes(self):
    results = (*self.of.saved, *self.given)
    return (
      *self.of.argument_axes,
      *(self.of.result_axes[i] for i in results),
    )

  @property
  def result_axes(self):
    # The gradient of a shared argument is summed over the batch.
    return tuple(self.of.argument_axes[i] for i in self.wanted)

  def result_types(self, *types):
    return [types[i] for i in self.wanted]

  def on(self, platform):
    gradient = self.of.gradient_on(platform)
    num_results = len(self.of.result_axes)

    def wanted(*arrays):
      cotangents = [None] * num_results
      start = len(arrays) - len(self.given)
      for i, cotangent in zip(self.given, arrays[start:], strict=True):
        cotangents[i] = cotangent
      gradients = gradient(*arrays[:start], *cotangents)
      return [gradients[i] for i in self.wanted]

    return wanted


@dataclasses.dataclass(frozen=True)
class _Tangent(_Call):
  """The change of a call's results, linear in the changes of some arguments.

  Its arguments are those of the call, the saved results, and the changes of the
  arguments at `wanted`.
  """

  of: _Call
  wanted: tuple[int, ...]

  @property
  def argument_axes(self):
    return (
      *self.of.argument_axes,
      *(self.of.result_axes[i] for i in self.of.saved),
      *(self.of.argument_axes[i] for i in self.wanted),
    )

  @property
  def result_axes(self):
    return self.of.result_axes

  @property
  def first_change(self):
    """The position of the first change among the arguments."""
    return len(self.of.argument_axes) + len(self.of.saved)

  def result_types(self, *types):
    return self.of.result_types(*types[: len(self.of.argument_axes)])

  def on(self, platform):
    function = self.of.on(platform)

    def tangent(*arrays):
      arguments = list(arrays[: len(self.of.argument_axes)])

      def of_wanted(*values):
        for i, value in zip(self.wanted, values, strict=True):
          arguments[i] = value
        return list(function(*arguments))

      primals = [arguments[i] for i in self.wanted]
      return jax.jvp(of_wanted, primals, list(arrays[self.first_change :]))[1]

    return tangent


@dataclasses.dataclass(frozen=True)
class _Mapped(_Call):
  """A call for every index of the first axis of some arguments."""

  of: _Call
  is_mapped: tuple[bool, ...]

  @property
  def argument_axes(self):
    return (None,) * len(self.is_mapped)

  @property
  def result_axes(self):
    return (None,) * len(self.of.result_axes)

  @property
  def saved(self):
    return self.of.saved

  @property
  def _axes(self):
    return tuple(0 if mapped else None for mapped in self.is_mapped)

  def on(self, platform):
    return jax.vmap(self.of.on(platform), self._axes)

  def gradient_on(self, platform):
    gradient = self.of.gradient_on(platform)

    def mapped(*arrays):
      others = arrays[len(self.is_mapped) :]
      axes = *self._axes, *(None if a is None else 0 for a in others)
      return [
        g if is_mapped else g.sum(0)
        for g, is_mapped in zip(
          jax.vmap(gradient, axes)(*arrays), self.is_mapped, strict=True
        )
      ]

    return mapped


_apply = Primitive('capsjax')
_apply.multiple_results = True
# Only this one is transposed: it is linear in the changes.
_apply_tangent = Primitive('capsjax_tangent')
_apply_tangent.multiple_results = True


def _abstract(*avals, call):
  return call.result_types(*avals)


def _lower(ctx, *values, call, platform):
  """Compiles a call, in ignorance of meshes.

  A method's reshapes are ambiguous to arrays with explicit shardings, and
  inside `shard_map` its zeros would have to vary over the mesh. To the compiler
  it is a program like any other, which it shards as it likes.
  """
  avals = [jax.core.ShapedArray(a.shape, a.dtype) for a in ctx.avals_in]

  def function(*arrays):
    with jax.sharding.use_abstract_mesh(_NO_MESH):
      return list(call.on(platform)(*arrays))

  lower = mlir.lower_fun(function, multiple_results=True)
  return lower(ctx.replace(avals_in=avals), *values)


_NO_MESH = jax.sharding.AbstractMesh((), ())


@functools.lru_cache(maxsize=1024)
def _compiled(primitive, call):
  return jax.jit(functools.partial(primitive.bind, call=call))


def _differentiate(primitive, arguments, changes, *, call):
  results = primitive.bind(*arguments, call=call)
  wanted = tuple(
    i for i, change in enumerate(changes) if not isinstance(change, ad.Zero)
  )
  return results, _apply_tangent.bind(
    *arguments,
    *(results[i] for i in call.saved),
    *(changes[i] for i in wanted),
    call=_Tangent(call, wanted),
  )


def _transpose(cotangents, *arrays, call):
  start = call.first_change
  is_linear = [ad.is_undefined_primal(array) for array in arrays]
  given = tuple(
    i for i, c in enumerate(cotangents) if not isinstance(c, ad.Zero)
  )
  wanted = tuple(
    i
    for i, linear in zip(call.wanted, is_linear[start:], strict=True)
    if linear
  )
  gradients = iter(
    _apply.bind(
      *arrays[:start],
      *(cotangents[i] for i in given),
      call=_Gradient(call.of, given, wanted),
    )
  )
  return [next(gradients) if linear else None for linear in is_linear]


def _batch(primitive, arrays, axes, *, call):
  is_mapped = [axis is not None for axis in axes]
  arrays = [
    array if axis is None else jnp.moveaxis(array, axis, 0)
    for array, axis in zip(arrays, axes, strict=True)
  ]
  size = next(len(a) for a, m in zip(arrays, is_mapped, strict=True) if m)
  is_shared_mapped = any(
    mapped and axis is None
    for mapped, axis in zip(is_mapped, call.argument_axes, strict=True)
  )
  if not is_shared_mapped and None not in call.result_axes:
    results = _fold(primitive, arrays, is_mapped, size, call)
  elif isinstance(call, _Tangent):
    results = _map_tangent(arrays, is_mapped, size, call)
  else:
    results = _apply.bind(*arrays, call=_Mapped(call, tuple(is_mapped)))
  return results, [0] * len(results)


def _fold(primitive, arrays, is_mapped, size, call):
  """Makes the mapped axis, the first and of `size`, part of the batch."""
  batch = next(
    array.shape[axis + mapped]
    for array, mapped, axis in zip(
      arrays, is_mapped, call.argument_axes, strict=True
    )
    if axis is not None
  )

  def fold(array, mapped, axis):
    if axis is None:
      return array
    array = jnp.moveaxis(array if mapped else _repeat(array, size), 0, axis)
    before, after = array.shape[:axis], array.shape[axis + 2 :]
    return array.reshape(*before, size * batch, *after)

  def unfold(array, axis):
    before, after = array.shape[:axis], array.shape[axis + 1 :]
    return jnp.moveaxis(array.reshape(*before, size, batch, *after), axis, 0)

  arrays = map(fold, arrays, is_mapped, call.argument_axes)
  results = primitive.bind(*arrays, call=call)
  return list(map(unfold, results, call.result_axes))


def _map_tangent(arrays, is_mapped, size, call):
  """Maps both an argument and its change if either is mapped."""
  arrays, is_mapped = list(arrays), list(is_mapped)

  def map_too(i):
    if not is_mapped[i]:
      arrays[i], is_mapped[i] = _repeat(arrays[i], size), True

  count = len(call.of.argument_axes)
  for i in range(count, call.first_change):
    map_too(i)
  for i, change in enumerate(call.wanted, start=call.first_change):
    if is_mapped[i] or is_mapped[change]:
      map_too(i)
      map_too(change)
  mapped = _Mapped(call.of, tuple(is_mapped[:count]))
  return _apply_tangent.bind(*arrays, call=_Tangent(mapped, call.wanted))


def _repeat(array, size):
  return jnp.broadcast_to(array, (size, *array.shape))


def _vary_alike(arrays):
  """Lets all arrays vary over the axes of a `shard_map` that any varies over.

  The gradient of an array that did not is summed over them, by JAX.
  """
  if jax.sharding.get_abstract_mesh().empty:
    return arrays
  zeros = [jnp.zeros_like(array, shape=()) for array in arrays]
  zero = functools.reduce(jnp.add, zeros)
  return [array + jnp.broadcast_to(zero, array.shape) for array in arrays]


def _register(primitive):
  primitive.def_abstract_eval(_abstract)
  primitive.def_impl(lambda *arrays, call: _compiled(primitive, call)(*arrays))
  ad.primitive_jvps[primitive] = functools.partial(_differentiate, primitive)
  batching.primitive_batchers[primitive] = functools.partial(_batch, primitive)
  mlir.register_lowering(primitive, functools.partial(_lower, platform='any'))
  for platform in _PLATFORMS:
    lower = functools.partial(_lower, platform=platform)
    mlir.register_lowering(primitive, lower, platform=platform)


_register(_apply)
_register(_apply_tangent)
ad.primitive_transposes[_apply_tangent] = _transpose
