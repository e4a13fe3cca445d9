"""Saves the checkpoints of a run, the latest and the best, atomically.

    <directory>/latest/<step>/{state,manifest}    the newest, and some others
    <directory>/best/<step>/{state,manifest}      the best one so far

Orbax writes the arrays in the background and renames the finished folder into
place, so a killed run leaves only complete checkpoints. Orbax does not notice
later damage, so a manifest with checksums (`manifest.py`) is saved beside the
arrays, and `restoring.py` checks it.

The state is a pytree of plain arrays, the same on every device and process. It
is saved from the host, so any number of devices can load it.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from capsjax import console
from capsjax.errors import UserError, first_line
from capsjax.runs.manifest import make_manifest
from capsjax.training import TrainState


class Checkpointer:
  """Saves the checkpoints of one run; a context manager.

  A save returns once the state is copied and continues in the background; the
  next save of the same kind waits for it. Saving is a collective operation: all
  processes of a run make the same calls, on a folder that all of them see.

  Args:
    directory: the parent of `latest/` and `best/`; created if needed.
    keep_latest: how many of the latest checkpoints to keep; there is one more
      while a new one is written.
    keep_every: the latest checkpoints at multiples of this step are kept for
      good; none if 0.

  Raises:
    UserError: (here or in a later call) if the folder cannot be written.
  """

  def __init__(
    self,
    directory: Path | str,
    *,
    keep_latest: int = 2,
    keep_every: int = 0,
  ) -> None:
    logging.getLogger('absl').addFilter(_is_not_raised_too)
    # Orbax accepts a relative path and fails later, in the background.
    directory = Path(directory).absolute()
    self._latest = _Shelf(directory / 'latest', keep_latest, keep_every)
    self._best = _Shelf(directory / 'best', 1, 0)

  def save_latest(self, step: int, state: Any) -> None:
    """Saves the state after `step` steps; deletes old ones once complete."""
    self._latest.save(step, state, metric=None)

  def save_best(self, step: int, state: Any, *, metric: float) -> None:
    """Saves the best state so far, which scored `metric`."""
    self._best.save(step, state, metric=float(metric))

  def wait(self) -> None:
    """Waits until everything that was saved is on disk."""
    self._latest.wait()
    self._best.wait()

  def close(self) -> None:
    """Waits as `wait` does, and stops the background threads."""
    try:
      self._latest.close()
    finally:
      self._best.close()

  def __enter__(self) -> 'Checkpointer':
    return self

  def __exit__(self, *_: object) -> None:
    self.close()


class _Shelf:
  """A folder of checkpoints named by step, which deletes old ones."""

  def __init__(self, folder: Path, keep: int, keep_every: int) -> None:
    self._folder = folder
    self._keep = keep
    self._keep_every = keep_every
    self._in_flight: int | None = None
    self._primary = jax.process_index() == 0
    with _write_errors_for_user(folder):
      folder.mkdir(parents=True, exist_ok=True)
      (folder / '.writable').touch()
      (folder / '.writable').unlink(missing_ok=True)
    self._writer = ocp.AsyncCheckpointer(
      ocp.CompositeCheckpointHandler(),
      # Otherwise, if a folder cannot be created, exiting takes five minutes.
      async_options=ocp.options.AsyncOptions(
        create_directories_asynchronously=False
      ),
      # The two shelves write concurrently and must not share a barrier.
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
          state=ocp.args.PyTreeSave(stored(host)),
          manifest=ocp.args.JsonSave(make_manifest(step, host, metric=metric)),
        ),
        force=True,
      )
    self._in_flight = step
    if self._primary:
      console.say_detail(f'saved     step {step:,}, {self._folder.name}')

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
      # A resumed run saves this step again; until then, the old one stays.
      replaced = path.with_name(f'{path.name}.replaced')
      shutil.rmtree(replaced, ignore_errors=True)
      path.rename(replaced)

  def _prune(self, newest: int) -> None:
    """Deletes old, replaced and later checkpoints.

    A step later than the one just saved is either damaged, so that the run
    could not resume from it, or is now being trained anew.
    """
    names = [path.name for path in self._folder.iterdir()]
    steps = sorted(int(n) for n in names if n.isdecimal() and int(n) <= newest)
    kept = {str(step) for step in steps[-self._keep :]}
    if self._keep_every:
      kept |= {str(step) for step in steps if step % self._keep_every == 0}
    for name in names:
      if name.split('.')[0].isdecimal() and name not in kept:
        shutil.rmtree(self._folder / name, ignore_errors=True)


def stored(state: Any) -> Any:
  """Returns the pytree that Orbax writes for a training state, or any other."""
  return state.to_tree() if isinstance(state, TrainState) else state


@contextmanager
def _write_errors_for_user(folder: Path) -> Iterator[None]:
  """Turns write errors into a UserError: they are not defects of capsjax."""
  try:
    yield
  except (OSError, ValueError) as error:  # TensorStore raises ValueError.
    raise UserError(
      f'cannot write a checkpoint into {folder}: {first_line(error)}; make '
      'room or choose another --workdir (earlier checkpoints are untouched)'
    ) from error


def _is_not_raised_too(record: logging.LogRecord) -> bool:
  """Filters out tracebacks that Orbax logs and also raises."""
  return record.levelno != logging.ERROR or 'orbax' not in record.pathname
