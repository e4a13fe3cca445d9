"""Transfer learning: a new run starts from parameters of another network."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from capsjax.errors import UserError
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.loading import load
from capsjax.runs.restoring import available_steps
from capsjax.training import TrainState


class Source(NamedTuple):
  """Parameters of another network.

  Attributes:
    name: where they come from, for messages.
    variables: the parameters, as `params`, and perhaps running statistics.
  """

  name: str
  variables: Any


def find_source(
  config: Config, folder: RunFolder, params: Any
) -> Source | None:
  """Returns what a run starts from, without reading the data of any run.

  Args:
    config: the configuration.
    folder: the folder of the run.
    params: parameters of another network, or None.

  Returns:
    The given parameters, or those of the newest checkpoint of
    `config.init_from`; None if there are neither, or the run is continued.

  Raises:
    UserError: if there are both, or no such run or checkpoint.
  """
  if params is not None and config.init_from:
    raise UserError('set either params or config.init_from, not both')
  if any(available_steps(folder.checkpoints).values()):
    return None
  if params is not None:
    return Source('params', {'params': params})
  if not config.init_from:
    return None
  try:
    return Source(config.init_from, load(config.init_from).variables)
  except UserError as error:
    raise UserError(f'config.init_from: {error}') from error


def transfer(
  source: Source, state: TrainState, *, frozen: Sequence[str]
) -> tuple[TrainState, str]:
  """Takes the parameters and statistics whose name and shape are the same.

  Args:
    source: parameters of another network.
    state: the initial state of this one.
    frozen: the parts that will not be trained, which must fit wholly.

  Returns:
    The state, and a description of what was taken and what was not.

  Raises:
    UserError: if nothing fits, or not all of a frozen part.
  """
  there, here = _by_name(source.variables['params']), _by_name(state.params)
  faults = {
    name: fault
    for name, leaf in here.items()
    if (fault := _fault(name, leaf, there))
  }
  if len(faults) == len(here):
    raise UserError(
      f'nothing in {source.name} fits this network (for example, '
      f'{next(iter(faults.values()))}); set the fields of config.model as there'
    )
  for name, fault in faults.items():
    if _part(name) in frozen:
      raise UserError(
        f'config.freeze has {_part(name)!r}, but not all of it can be loaded '
        f'from {source.name}: {fault}; leave it out of config.freeze'
      )
  state = dataclasses.replace(
    state,
    params=_merge(source.variables['params'], state.params),
    statistics=_merge(source.variables, state.statistics),
  )
  return state, _describe(source, here, faults)


def _merge(source: Any, tree: Any) -> Any:
  """Replaces the leaves that the source has too, of the same shape."""
  there = _by_name(source)
  taken = [
    leaf if _fault(name, leaf, there) else np.array(there[name], leaf.dtype)
    for name, leaf in _by_name(tree).items()
  ]
  return jax.tree.unflatten(jax.tree.structure(tree), taken)


def _describe(
  source: Source, here: dict[str, Any], faults: dict[str, str]
) -> str:
  """Names the parts that were loaded, and a fault of each that was not."""
  # Dictionaries keep the order and have no duplicates.
  loaded = dict.fromkeys(_part(name) for name in here if name not in faults)
  faulty: dict[str, list[str]] = {}
  for name, fault in faults.items():
    faulty.setdefault(_part(name), []).append(fault)
  parts = [f'part of {part}' if part in faulty else part for part in loaded]
  text = f'loaded from {source.name}: {", ".join(parts)}'
  reasons = []
  for first, *others in faulty.values():
    more = f' (and {len(others)} more)' if others else ''
    reasons.append(first + more)
  if reasons:
    text += f'; not loaded: {", ".join(reasons)}'
  return text


def _fault(name: str, leaf: Any, there: dict[str, Any]) -> str:
  """Returns why a parameter cannot be taken; '' if it can."""
  if name not in there:
    return f'{name} is not there'
  shape = np.shape(there[name])
  if shape != leaf.shape:
    return f'{name} has the shape {shape} there and {leaf.shape} here'
  return ''


def _part(name: str) -> str:
  """Returns the top-level part that a parameter belongs to."""
  return name.partition('.')[0]


def _by_name(params: Any) -> dict[str, Any]:
  """Returns all parameters by name, such as 'class_capsules.kernel'."""
  return {
    jax.tree_util.keystr(path, simple=True, separator='.'): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(params)
  }
