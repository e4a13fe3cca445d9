"""Builds models from the names and plain values of a config."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from capsjax import layers, ops
from capsjax.errors import UserError, did_you_mean
from capsjax.models import initializers
from capsjax.models.baseline import BaselineCNN
from capsjax.models.capsnet import CapsNet
from capsjax.models.efficient_capsnet import EfficientCapsNet
from capsjax.models.matrix_capsnet import MatrixCapsNet

_MODELS: dict[str, Any] = {
  'capsnet': CapsNet,
  'baseline': BaselineCNN,
  'efficient_capsnet': EfficientCapsNet,
  'matrix_capsules': MatrixCapsNet,
  'vb_capsules': MatrixCapsNet,
}


def _evidence(values):
  """Leaves evidence as it is; a batch normalisation makes activations of it."""
  return values


# Fields of a model that are not in configurations.
_PARTS: dict[str, dict[str, Any]] = {
  # The authors' code.
  'vb_capsules': {
    'primary_activation_fn': _evidence,
    'primary_norm': functools.partial(
      layers.CapsuleBatchNorm, use_scale_and_bias=True
    ),
    'norm': layers.CapsuleBatchNorm,
    'use_conv_norm': True,
  },
}

# Fields whose value in a config is a name.
_NAMED_VALUES: dict[str, Mapping[str, Any]] = {
  'initialization': {
    'fan_in': initializers.FAN_IN,
    'official': initializers.OFFICIAL,
  },
  'dtype': {'float32': jnp.float32, 'bfloat16': jnp.bfloat16},
}

# The routing functions of a CapsNet.
_ROUTINGS: dict[str, layers.RoutingFn] = {'dynamic': ops.fused_dynamic_routing}
# The routing modules of all other models.
_ROUTING_MODULES: dict[str, Callable[..., Any]] = {
  'em': layers.EMRouting,
  'variational': functools.partial(
    layers.VariationalRouting, activation_fn=_evidence
  ),
}

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
    name: 'capsnet', 'baseline', 'efficient_capsnet', 'matrix_capsules' or
      'vb_capsules'.
    num_labels: the number of objects in an image; a baseline ignores it.
    routing: the `name` of a routing algorithm and its options, instead of the
      field `routing_fn` or `routing`.
    **fields: the model's fields; `initialization` and `dtype` by name.

  Returns:
    The module, without parameters.

  Raises:
    UserError: if the name, a field or a named value is unknown, or a field for
      height and width does not have two numbers.

  Examples:
    >>> from capsjax import create_model
    >>> model = create_model(
    ...   'capsnet', routing={'name': 'dynamic', 'leaky': True}
    ... )
    >>> type(model).__name__, model.routing_fn.keywords
    ('CapsNet', {'leaky': True})
    >>> create_model('capsnet', num_type=8)
    Traceback (most recent call last):
    capsjax.errors.UserError: unknown field of model 'capsnet' 'num_type'; ...
  """
  model = choose(_MODELS, name, 'model')
  if 'num_labels' in model.__dataclass_fields__:
    fields['num_labels'] = num_labels
  if model is CapsNet and routing is not None:
    fields['routing_fn'] = _routing_fn(**routing)
  elif routing is not None:
    fields['routing'] = _routing_module(**routing)
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
  return model(**_PARTS.get(name, {}) | values)


def _routing_fn(name: str, **options: Any) -> layers.RoutingFn:
  """Returns the routing function of that name with these options."""
  routing_fn = choose(_ROUTINGS, name, 'model.routing.name')
  known = inspect.signature(routing_fn).parameters
  for option in options:
    choose(dict.fromkeys(known), option, f'option of routing {name!r}')
  return functools.partial(routing_fn, **options)


def _routing_module(name: str, **options: Any) -> Callable[..., Any]:
  """Returns what makes the routing module of that name with these options."""
  module = choose(_ROUTING_MODULES, name, 'model.routing.name')
  for option in options:
    known = getattr(module, 'func', module).__dataclass_fields__
    choose(dict.fromkeys(known), option, f'option of routing {name!r}')
  return functools.partial(module, **options)


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
