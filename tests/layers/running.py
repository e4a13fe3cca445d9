"""Runs modules as compiled programs, which equal modules share."""

import functools

import jax


@functools.partial(jax.jit, static_argnums=0)
def init(module, *inputs):
  """Initialises a module from one fixed key."""
  return module.init(jax.random.key(0), *inputs)


@functools.partial(
  jax.jit, static_argnums=0, static_argnames=('mutable', 'train')
)
def apply(module, variables, *inputs, **options):
  """Calls the module's `apply`."""
  return module.apply(variables, *inputs, **options)
