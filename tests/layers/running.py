"""Runs modules by compiled programs, which equal modules share."""

import functools

import jax


@functools.partial(jax.jit, static_argnums=0)
def init(module, *inputs):
  """The variables of a module, from one fixed key."""
  return module.init(jax.random.key(0), *inputs)


@functools.partial(
  jax.jit, static_argnums=0, static_argnames=('mutable', 'train')
)
def apply(module, variables, *inputs, **options):
  """What the module returns, as its own `apply` does."""
  return module.apply(variables, *inputs, **options)
