"""Parameters from Linen to NNX."""

from collections.abc import Mapping
from typing import Any

from flax import nnx, traverse_util


def load_params(module: nnx.Module, params: Mapping[str, Any]) -> None:
  """Replaces the parameters of an NNX module by those of its Linen twin.

  Args:
    module: changed in place.
    params: as in a Linen module's `variables['params']`, or the `params` of a
      trained run.

  Raises:
    ValueError: if a name or a shape differs.

  Examples:
    >>> import capsjax
    >>> import jax
    >>> import jax.numpy as jnp
    >>> import numpy as np
    >>> from flax import nnx
    >>> sizes = {'conv_features': 8, 'num_types': 2, 'has_decoder': False}
    >>> images = jax.random.uniform(jax.random.key(0), (3, 28, 28, 1))
    >>> linen = capsjax.CapsNet(**sizes)
    >>> output, variables = linen.init_with_output(jax.random.key(1), images)
    >>> model = capsjax.nnx.CapsNet((28, 28, 1), rngs=nnx.Rngs(0), **sizes)
    >>> capsjax.nnx.load_params(model, variables['params'])
    >>> np.testing.assert_allclose(
    ...   model(images).scores, output.scores, atol=1e-5
    ... )
  """
  state = nnx.state(module, nnx.Param)
  there, here = (
    {name: array.shape for name, array in _flat(tree).items()}
    for tree in (params, nnx.to_pure_dict(state))
  )
  for name in sorted(there.keys() | here.keys()):
    if there.get(name) != here.get(name):
      raise ValueError(
        f'{name} has the shape {here.get(name)} in the module and '
        f'{there.get(name)} in the parameters'
      )
  nnx.replace_by_pure_dict(state, dict(params))
  nnx.update(module, state)


def _flat(tree):
  return traverse_util.flatten_dict(dict(tree), sep='/')
