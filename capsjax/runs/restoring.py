"""Restores checkpoints that `checkpoint.py` saved, skipping damaged ones."""

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from capsjax.errors import UserError, first_line
from capsjax.runs.checkpoint import stored
from capsjax.runs.manifest import (
  check_manifest,
  require_same_bytes,
  require_same_leaves,
)
from capsjax.training import TrainState

_Kind = Literal['latest', 'best']
_KINDS: tuple[_Kind, ...] = ('latest', 'best')


class Restored(NamedTuple):
  """A checkpoint as it was saved; the leaves of `state` are NumPy arrays."""

  step: int
  state: Any
  metric: float | None
  path: Path


def restore(
  directory: Path | str,
  template: Any,
  *,
  which: Literal['latest', 'best'] | int = 'latest',
  warn: Callable[[str], None],
) -> Restored | None:
  """Loads the newest intact checkpoint of the kind asked for, bit for bit.

  Args:
    directory: the folder given to `Checkpointer`.
    template: a pytree like the one saved, of arrays or of
      `jax.ShapeDtypeStruct`.
    which: 'latest' for the newest of all (even the best one, if it is newer or
      the others are damaged), 'best', or the number of a step.
    warn: called with one line for each damaged checkpoint that is skipped.

  Returns:
    The checkpoint; None if `which` is 'latest' and there is no checkpoint.

  Raises:
    UserError: if there is no such checkpoint, none of them is intact, or the
      leaves do not match the template.
  """
  directory = Path(directory).absolute()
  found = [entry for entry in _found(directory) if _matches(entry, which)]
  if not found and which == 'latest':
    return None
  restored = _first_whole(found, template, warn)
  if restored is None:
    raise UserError(_nothing_to_restore(directory, which, len(found)))
  return restored


def best_metric(
  directory: Path | str,
  template: Any,
  *,
  until: int,
  warn: Callable[[str], None],
) -> float | None:
  """Returns the metric that a new best checkpoint must beat.

  Args:
    directory: the folder given to `Checkpointer`.
    template: as for `restore`.
    until: a step; checkpoints of later steps do not count.
    warn: as for `restore`.

  Returns:
    The metric, or None if there is no intact best checkpoint.
  """
  found = [
    entry
    for entry in _found(Path(directory).absolute())
    if entry.kind == 'best' and entry.step <= until
  ]
  restored = _first_whole(found, template, warn)
  return restored and restored.metric


def available_steps(directory: Path | str) -> dict[str, list[int]]:
  """Returns the ascending steps of 'latest' and 'best', even damaged ones."""
  found = _found(Path(directory))
  return {
    kind: sorted({entry.step for entry in found if entry.kind == kind})
    for kind in _KINDS
  }


class _Entry(NamedTuple):
  """A folder that should hold a checkpoint."""

  step: int
  kind: _Kind
  path: Path


def _found(directory: Path) -> list[_Entry]:
  """Returns all checkpoint folders, newest first, 'latest' before 'best'."""
  entries = [
    _Entry(int(match[1]), kind, path)
    for kind in _KINDS
    for path in sorted((directory / kind).glob('*'))
    if (match := re.fullmatch(r'(\d+)(\.replaced)?', path.name))
    and path.is_dir()
  ]
  return sorted(entries, key=lambda entry: -entry.step)


def _matches(entry: _Entry, which: Literal['latest', 'best'] | int) -> bool:
  if which == 'latest':
    return True
  return which in (entry.kind, entry.step)


def _first_whole(
  entries: list[_Entry], template: Any, warn: Callable[[str], None]
) -> Restored | None:
  for entry in entries:
    try:
      return _read(entry, template)
    except UserError:
      raise
    except FileNotFoundError as error:
      warn(f'skipped a damaged checkpoint, {entry.path}: {first_line(error)}')
    except (OSError, MemoryError) as error:
      # It may be intact, and resuming from an older one would delete it.
      raise UserError(
        f'cannot read {entry.path} ({first_line(error)}); fix that, or move '
        'it away if it is damaged'
      ) from error
    except Exception as error:  # Orbax may raise any exception.
      warn(f'skipped a damaged checkpoint, {entry.path}: {first_line(error)}')
  return None


def _read(entry: _Entry, template: Any) -> Restored:
  """Reads one checkpoint; any exception but a UserError means damage."""
  with closing(ocp.JsonCheckpointHandler()) as handler:
    manifest = handler.restore(entry.path / 'manifest')
  check_manifest(manifest, entry.step, entry.path)
  require_same_leaves(manifest, template, entry.path)
  state = _read_leaves(entry.path / 'state', template)
  require_same_bytes(manifest, state)
  return Restored(entry.step, state, manifest['metric'], entry.path)


def _read_leaves(path: Path, template: Any) -> Any:
  """Reads leaf by leaf, which takes no longer.

  If one of several concurrent reads fails, Orbax closes the event loop that the
  others report to, and each of them prints a line on stderr.
  """
  leaves, treedef = jax.tree.flatten(stored(template))
  restored = []
  # A checkpointer would make the processes of a run wait for each other, but a
  # process that finds damage must be free to go on. A handler does not wait.
  with closing(ocp.PyTreeCheckpointHandler()) as handler:
    for i, leaf in enumerate(leaves):
      only = [ocp.PLACEHOLDER] * i + [leaf]
      only += [ocp.PLACEHOLDER] * (len(leaves) - len(only))
      args = [ocp.RestoreArgs(restore_type=np.ndarray)] * len(leaves)
      tree = handler.restore(
        path,
        args=ocp.args.PyTreeRestore(
          jax.tree.unflatten(treedef, only),
          restore_args=jax.tree.unflatten(treedef, args),
        ),
      )
      restored.append(jax.tree.leaves(tree)[i])
  tree = jax.tree.unflatten(treedef, restored)
  return TrainState(**tree) if isinstance(template, TrainState) else tree


def _nothing_to_restore(directory: Path, which: str | int, tried: int) -> str:
  if which == 'latest':
    return (
      f'every checkpoint in {directory} is damaged ({tried} tried), or '
      'written by another Orbax; move that folder away to start from step 0, '
      'or choose another --workdir'
    )
  wanted = f'step {which}' if isinstance(which, int) else f'the {which} one'
  fault = 'is damaged' if tried else 'does not exist'
  there = '; '.join(
    f'{kind}: {", ".join(map(str, steps)) or "none"}'
    for kind, steps in available_steps(directory).items()
  )
  remedy = ''
  if which == 'best' and not tried:
    remedy = (
      '; a run saves a best one after an evaluation, if it holds images out: '
      '--config.validation_size=N'
    )
  return (
    f'of the checkpoints in {directory}, {wanted} {fault}; there are {there}'
    f'{remedy}'
  )
