"""Builds models from the names and plain values of a config."""

import functools
import inspect
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from capsjax import layers, ops
from capsjax.errors import UserError, did_you_mean
from capsjax.models import initializers
from capsjax.models.baseline import BaselineCNN
from capsjax.models.capsnet import CapsNet
from capsjax.models.efficient_capsnet import EfficientCapsNet

_MODELS = {
  'capsnet': CapsNet,
  'baseline': BaselineCNN,
  'efficient_capsnet': EfficientCapsNet,
}

# Fields whose value in a config is a name.
_NAMED_VALUES: dict[str, Mapping[str, Any]] = {
  'initialization': {
    'fan_in': initializers.FAN_IN,
    'official': initializers.OFFICIAL,
  },
  'dtype': {'float32': jnp.float32, 'bfloat16': jnp.bfloat16},
}

_ROUTINGS: dict[str, layers.RoutingFn] = {'dynamic': ops.fused_dynamic_routing}

_PAIRS = {'conv_kernel_size', 'primary_kernel_size', 'primary_strides'}


def create_model(
  name: str,
  *,
  num_labels: int = 1,
  routing: Mapping[str, Any] | None = None,
  **fields: Any,
) -> nn.Module:
  """Builds a model from its name and fields.

  Args:
    name: 'capsnet', 'baseline' or 'efficient_capsnet'.
    num_labels: the number of objects in an image; a baseline ignores it.
    routing: the `name` of a routing algorithm and its options, instead of the
      field `routing_fn`.
    **fields: the model's fields; `initialization` and `dtype` by name.

  Returns:
    The module, without parameters.

  Raises:
    UserError: if the name, a field or a named value is unknown, or a field for
      height and width does not have two numbers.
  """
  model = choose(_MODELS, name, 'model')
  if 'num_labels' in model.__dataclass_fields__:
    fields['num_labels'] = num_labels
  if model is CapsNet and routing is not None:
    fields['routing_fn'] = _routing_fn(**routing)
  known = [f for f in model.__dataclass_fields__ if f not in ('parent', 'name')]
  for field in fields:
    choose(dict.fromkeys(known), field, f'field of model {name!r}')
  for field in _PAIRS & fields.keys():
    if len(fields[field]) != 2:
      raise UserError(
        f'model.{field}={fields[field]} is for height and width; give two '
        'numbers, such as (9, 9)'
      )
  values = {
    field: choose(_NAMED_VALUES[field], value, f'model.{field}')
    if field in _NAMED_VALUES and isinstance(value, str)
    else value
    for field, value in fields.items()
  }
  return model(**values)


def _routing_fn(name: str, **options: Any) -> layers.RoutingFn:
  """Returns the routing function of that name with these options."""
  routing_fn = choose(_ROUTINGS, name, 'model.routing.name')
  known = inspect.signature(routing_fn).parameters
  for option in options:
    choose(dict.fromkeys(known), option, f'option of routing {name!r}')
  return functools.partial(routing_fn, **options)


def choose(options: Mapping[str, Any], name: str, what: str) -> Any:
  """Looks up a name, or suggests the nearest ones.

  Args:
    options: values by name.
    name: the name to look up.
    what: what the name stands for, for the message.

  Returns:
    The value.

  Raises:
    UserError: if there is no such name.
  """
  if name in options:
    return options[name]
  raise UserError(f'unknown {what} {name!r}; {did_you_mean(name, options)}')
