"""What a checkpoint should hold: type and CRC-32 of every leaf, sealed.

Orbax restores a flipped byte as a wrong value and casts a foreign dtype, both
silently. A manifest, stored as JSON beside the arrays, catches both, and tells
damage (skip it) from a state of another network (the user's mistake).

    {"format": 1, "step": 1875, "metric": 0.9951,
     "leaves": {"params/conv/bias": {"type": "float32[256]", "crc32": 1}, ...},
     "seal": 1}
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from capsjax.errors import UserError

_FORMAT = 1


class Damage(Exception):
  """A checkpoint that is not as it was written."""


def make_manifest(
  step: int, state: Any, *, metric: float | None
) -> dict[str, Any]:
  """Describes a pytree of NumPy arrays; 0.03 s for the 98 MB of CapsNet."""
  manifest = {
    'format': _FORMAT,
    'step': step,
    'metric': metric,
    'leaves': {
      name: _record(leaf) for name, leaf in _named_leaves(state).items()
    },
  }
  return manifest | {'seal': _seal(manifest)}


def check_manifest(manifest: Mapping[str, Any], step: int, path: Path) -> None:
  """Raises Damage unless `manifest` is a whole one, and of this step.

  Raises:
    UserError: it is whole, but of a format that this version cannot read.
  """
  content = {key: manifest[key] for key in manifest if key != 'seal'}
  if manifest.get('seal') != _seal(content):
    raise Damage('the manifest does not match its checksum')
  if content['format'] != _FORMAT:
    raise UserError(
      f'{path} was written by another version of capsjax (format '
      f'{content["format"]}, not {_FORMAT}); use that version'
    )
  if content['step'] != step:
    raise Damage(f'it holds step {content["step"]}')


def require_same_leaves(
  manifest: Mapping[str, Any], template: Any, path: Path
) -> None:
  """Raises a UserError that names the first leaf of another shape or dtype."""
  there = {name: record['type'] for name, record in manifest['leaves'].items()}
  here = {name: _type(leaf) for name, leaf in _named_leaves(template).items()}
  for name in [*here, *there]:
    if here.get(name) != there.get(name):
      raise UserError(
        f'{path} is of another network: its {name} is '
        f'{there.get(name, "absent")}, here it is {here.get(name, "absent")}; '
        'use the config it was trained with, or another --workdir'
      )


def require_same_bytes(manifest: Mapping[str, Any], state: Any) -> None:
  """Raises Damage that names the first leaf that is not what was saved."""
  for name, leaf in _named_leaves(state).items():
    if _record(leaf) != manifest['leaves'][name]:
      raise Damage(f'{name} does not match its checksum')


def _seal(content: Mapping[str, Any]) -> int:
  return zlib.crc32(json.dumps(content, sort_keys=True).encode())


def _record(leaf: np.ndarray) -> dict[str, Any]:
  # Viewed as bytes, since bfloat16 offers no buffer of its own.
  content = np.ascontiguousarray(leaf).reshape(-1).view(np.uint8)
  return {'type': _type(leaf), 'crc32': zlib.crc32(content.data)}


def _type(leaf: Any) -> str:
  """For example 'float32[9,9,1,256]'; a Python number counts as NumPy's."""
  leaf = leaf if hasattr(leaf, 'dtype') else np.asarray(leaf)
  return f'{leaf.dtype}[{",".join(map(str, leaf.shape))}]'


def _named_leaves(tree: Any) -> dict[str, Any]:
  """Leaves by path, for example 'params/decoder/hidden_0/kernel'."""
  return {
    jax.tree_util.keystr(path, simple=True, separator='/'): leaf
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }
