"""Checks of arguments that would otherwise fail far from their cause."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


def require_floating(**arrays: jax.Array) -> None:
  """Raises a ValueError that names the first array of integers or booleans."""
  for name, array in arrays.items():
    if not jnp.issubdtype(array.dtype, jnp.floating):
      raise ValueError(
        f'{name} must be floating point, but the dtype is {array.dtype}; '
        f'convert it with {name}.astype(jnp.float32)'
      )


def require_same_shape(**arrays: jax.Array) -> None:
  """Raises a ValueError that names the arrays if their shapes differ."""
  if len({array.shape for array in arrays.values()}) > 1:
    shapes = ' and '.join(f'{n} {a.shape}' for n, a in arrays.items())
    raise ValueError(f'the shapes must be the same: {shapes}')


def require_images(images: jax.Array) -> None:
  """Raises a ValueError if these are no images for a network."""
  if not jnp.issubdtype(images.dtype, jnp.floating):
    raise ValueError(
      f'images must be floating point in [0, 1], but the dtype is '
      f'{images.dtype}; convert uint8 with images / 255'
    )
  if images.ndim < 3:
    raise ValueError(
      'images must be [*batch, height, width, channels], but the shape is '
      f'{images.shape}; add the channels with images[..., None]'
    )


def require_same_length(**fields: Sequence[Any]) -> None:
  """Raises a ValueError if fields with a value per layer differ in length."""
  counts = {name: len(values) for name, values in fields.items()}
  if len(set(counts.values())) > 1:
    listed = ', '.join(f'{name} {count}' for name, count in counts.items())
    raise ValueError(f'give as many values of each, one per layer: {listed}')
