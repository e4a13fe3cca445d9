"""Checkpoints of a run: the latest and the best, each atomic and checked.

    <directory>/latest/<step>/{state,manifest}    the newest few
    <directory>/best/<step>/{state,manifest}      the one judged best so far

Orbax writes the arrays in the background and renames the finished folder into
place, so a killed run leaves whole checkpoints only. It does not notice damage
that comes later, so a manifest with checksums lies beside the arrays
(`manifest.py`), and restoring skips what does not match, newest first.

The state is a pytree of plain arrays, the same on every device and process; it
is saved from the host, so any number of devices can load it.
"""

import logging
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp

from capsjax.errors import UserError
from capsjax.training.manifest import (
  check_manifest,
  make_manifest,
  require_same_bytes,
  require_same_leaves,
)

_Kind = Literal['latest', 'best']
_KINDS: tuple[_Kind, ...] = ('latest', 'best')


class Restored(NamedTuple):
  """A checkpoint as it was saved; `state` has NumPy arrays for leaves."""

  step: int
  state: Any
  metric: float | None
  path: Path


class Checkpointer:
  """Saves the checkpoints of one run; a context manager.

  A save returns once the state is copied; the writing goes on behind, and the
  next save of the same kind waits for it. In a run of several processes all of
  them make the same calls, on a folder that all of them see.

  Args:
    directory: where `latest/` and `best/` go; made if absent.
    keep_latest: how many of the latest stay; one more while one is written.

  Raises:
    UserError: (here or from a later call) the folder cannot be written.
  """

  def __init__(self, directory: Path | str, *, keep_latest: int = 2) -> None:
    logging.getLogger('absl').addFilter(_is_not_raised_too)
    # Orbax accepts a relative path and fails later, in the background.
    directory = Path(directory).absolute()
    self._latest = _Shelf(directory / 'latest', keep=keep_latest)
    self._best = _Shelf(directory / 'best', keep=1)

  def save_latest(self, step: int, state: Any) -> None:
    """Saves the state after `step` steps; older ones go once it is whole."""
    self._latest.save(step, state, metric=None)

  def save_best(self, step: int, state: Any, *, metric: float) -> None:
    """Saves the state that the caller found best; `metric` says how good."""
    self._best.save(step, state, metric=float(metric))

  def wait(self) -> None:
    """Returns once everything that was saved is on disk."""
    self._latest.wait()
    self._best.wait()

  def close(self) -> None:
    """Waits as `wait` does, and lets go of the background threads."""
    try:
      self._latest.close()
    finally:
      self._best.close()

  def __enter__(self) -> 'Checkpointer':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()


def restore(
  directory: Path | str,
  template: Any,
  *,
  which: Literal['latest', 'best'] | int = 'latest',
  warn: Callable[[str], None],
) -> Restored | None:
  """Loads the newest whole checkpoint of those asked for, bit for bit.

  Args:
    directory: the folder given to `Checkpointer`.
    template: a pytree of arrays or `jax.ShapeDtypeStruct`s like the one saved.
    which: 'latest' for the newest of all (the best one too, if it is newer or
      the others are damaged), 'best', or the number of a step.
    warn: called with one line for each damaged checkpoint that is skipped.

  Returns:
    The checkpoint; None if the latest is asked for and there is none at all.

  Raises:
    UserError: there is none such, none that is whole, or its leaves are not the
      template's.
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
  directory: Path | str, template: Any, *, warn: Callable[[str], None]
) -> float | None:
  """The metric that a new best must beat; None without a whole best one."""
  found = [e for e in _found(Path(directory).absolute()) if e.kind == 'best']
  restored = _first_whole(found, template, warn)
  return restored and restored.metric


def available_steps(directory: Path | str) -> dict[str, list[int]]:
  """The steps under 'latest' and 'best', ascending, whole or damaged."""
  found = _found(Path(directory))
  return {
    kind: sorted({entry.step for entry in found if entry.kind == kind})
    for kind in _KINDS
  }


class _Shelf:
  """One folder of checkpoints named by step, of which the newest few stay."""

  def __init__(self, folder: Path, *, keep: int) -> None:
    self._folder = folder
    self._keep = keep
    self._in_flight: int | None = None
    self._primary = jax.process_index() == 0
    with _write_errors_for_user(folder):
      folder.mkdir(parents=True, exist_ok=True)
      (folder / '.writable').touch()
      (folder / '.writable').unlink(missing_ok=True)
    self._writer = ocp.AsyncCheckpointer(
      ocp.CompositeCheckpointHandler(),
      # Else, where a folder cannot be made, the exit waits five minutes for it.
      async_options=ocp.options.AsyncOptions(
        create_directories_asynchronously=False
      ),
      # The two shelves write at once and must not meet at one barrier.
      multiprocessing_options=ocp.options.MultiprocessingOptions(
        barrier_sync_key_prefix=folder.name
      ),
    )

  def save(self, step: int, state: Any, *, metric: float | None) -> None:
    self.wait()
    # Orbax copies host arrays before `save` returns, so the caller may donate.
    host = jax.tree.map(np.asarray, jax.device_get(state))
    path = self._folder / str(step)
    with _write_errors_for_user(self._folder):
      if self._primary:
        self._clear_the_way(path)
      self._writer.save(
        path,
        args=ocp.args.Composite(
          state=ocp.args.PyTreeSave(host),
          manifest=ocp.args.JsonSave(make_manifest(step, host, metric=metric)),
        ),
        force=True,
      )
    self._in_flight = step

  def wait(self) -> None:
    step, self._in_flight = self._in_flight, None
    with _write_errors_for_user(self._folder):
      self._writer.wait_until_finished()
    if step is not None and self._primary:
      self._prune(step)

  def close(self) -> None:
    try:
      self.wait()
    finally:
      self._writer.close()

  def _clear_the_way(self, path: Path) -> None:
    for half_written in self._folder.glob('*.orbax-checkpoint-tmp*'):
      shutil.rmtree(half_written)
    if path.exists():
      # A resumed run saves this step again; till then the old one stays.
      replaced = path.with_name(f'{path.name}.replaced')
      shutil.rmtree(replaced, ignore_errors=True)
      path.rename(replaced)

  def _prune(self, newest: int) -> None:
    """Deletes all but the newest: older ones, replaced ones and later ones.

    A step beyond the one just saved is one that the run could not be resumed
    from: damaged, or of a future that is now trained anew.
    """
    names = [path.name for path in self._folder.iterdir()]
    steps = sorted(int(n) for n in names if n.isdecimal() and int(n) <= newest)
    kept = {str(step) for step in steps[-self._keep :]}
    for name in names:
      if name.split('.')[0].isdecimal() and name not in kept:
        shutil.rmtree(self._folder / name, ignore_errors=True)


class _Entry(NamedTuple):
  """A folder that should hold a checkpoint."""

  step: int
  kind: _Kind
  path: Path


def _found(directory: Path) -> list[_Entry]:
  """All checkpoint folders, newest first, a latest one before a best one."""
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
    except Exception as error:  # Orbax raises whatever its depths meet.
      warn(f'skipped a damaged checkpoint, {entry.path}: {_one_line(error)}')
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
  """Reads leaf by leaf, which costs no time.

  When one of several reads at once fails, Orbax closes the event loop that the
  others then report to, and each prints a line about it on stderr.
  """
  leaves, treedef = jax.tree.flatten(template)
  restored = []
  # A handler, not a checkpointer: that would have the processes of a run wait
  # for each other, and one that meets damage must be free to go on.
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
  return jax.tree.unflatten(treedef, restored)


def _nothing_to_restore(directory: Path, which: str | int, tried: int) -> str:
  if which == 'latest':
    return (
      f'every checkpoint in {directory} is damaged ({tried} tried); delete '
      'that folder to start from step 0, or choose another --workdir'
    )
  wanted = f'step {which}' if isinstance(which, int) else f'the {which} one'
  fault = 'is damaged' if tried else 'does not exist'
  there = '; '.join(
    f'{kind}: {", ".join(map(str, steps)) or "none"}'
    for kind, steps in available_steps(directory).items()
  )
  return (
    f'of the checkpoints in {directory}, {wanted} {fault}; there are {there}'
  )


@contextmanager
def _write_errors_for_user(folder: Path) -> Iterator[None]:
  """A full disk or a forbidden folder is not a defect of the program's."""
  try:
    yield
  except (OSError, ValueError) as error:  # TensorStore raises ValueError.
    raise UserError(
      f'cannot write a checkpoint into {folder}: {_one_line(error)}; make room '
      'or choose another --workdir (earlier checkpoints are untouched)'
    ) from error


def _is_not_raised_too(record: logging.LogRecord) -> bool:
  """False for the traceback Orbax logs of an exception it raises as well."""
  return record.levelno != logging.ERROR or 'orbax' not in record.pathname


def _one_line(error: Exception) -> str:
  text = str(error).strip().partition('\n')[0][:120]
  return text or type(error).__name__
