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
