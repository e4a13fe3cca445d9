"""The folder of a run: the name of every file in it, and who may write it."""

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from capsjax.errors import UserError


@dataclasses.dataclass(frozen=True)
class RunFolder:
  """The folder of a run, or one that commands write to in its place.

  Attributes:
    path: the folder, not necessarily there yet.
  """

  path: Path

  def __str__(self) -> str:
    return str(self.path)

  @property
  def config(self) -> Path:
    """The configuration."""
    return self.path / 'config.json'

  @property
  def dataset(self) -> Path:
    """What the run knows of its data."""
    return self.path / 'dataset.json'

  @property
  def metrics(self) -> Path:
    """Metrics, a line of JSON for each step that was measured."""
    return self.path / 'metrics.jsonl'

  @property
  def checkpoints(self) -> Path:
    """The folder of checkpoints."""
    return self.path / 'checkpoints'

  @property
  def evaluation(self) -> Path:
    """What `evaluate` found."""
    return self.path / 'evaluation.json'

  @property
  def predictions(self) -> Path:
    """What `predict` found."""
    return self.path / 'predictions.json'

  @property
  def report(self) -> Path:
    """The page of `report`."""
    return self.path / 'report.html'

  @property
  def comparison(self) -> Path:
    """The page of `report` of several runs, of which this is the first."""
    return self.path / 'comparison.html'

  @property
  def explorer(self) -> Path:
    """The page of `explore`."""
    return self.path / 'explorer.html'

  def picture(self, name: str) -> Path:
    """A picture of `reconstruct` or `perturb`."""
    return self.path / 'pictures' / f'{name}.png'

  @property
  def _lock(self) -> Path:
    # The system lets go of the lock when its process ends, however it ends.
    return self.path / '.lock'

  def require_run(self) -> None:
    """Refuses a folder without a run.

    Raises:
      UserError: if there is none.
    """
    if not self.config.is_file():
      raise UserError(
        f'{self} holds no run; train one with --config FILE --workdir {self}'
      )

  @contextmanager
  def claimed(self) -> Iterator[None]:
    """Keeps other processes from writing into the folder, made if absent.

    Raises:
      UserError: if another process is writing there, or nobody may.
    """
    lock = filelock.FileLock(self._lock)
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      lock.acquire(blocking=False)
    except filelock.Timeout as error:
      raise UserError(
        f'another process is training in {self}; let it end, or choose '
        f'another --workdir (if there is none, delete {self._lock})'
      ) from error
    except OSError as error:
      raise self._unwritable(error) from error
    try:
      yield
    finally:
      lock.release()
      # Nothing was begun: leave no empty folder behind.
      if [path.name for path in self.path.iterdir()] == [self._lock.name]:
        shutil.rmtree(self.path, ignore_errors=True)

  def is_claimed(self) -> bool:
    """Whether a process is training here."""
    if not self._lock.exists():
      return False
    lock = filelock.FileLock(self._lock)
    try:
      lock.acquire(blocking=False)
    except filelock.Timeout:
      return True
    except OSError:  # A folder that this user may only read.
      return False
    lock.release()
    return False

  def _unwritable(self, error: OSError) -> UserError:
    return UserError(
      f'cannot write into {self} ({error.strerror}); choose another --workdir'
    )
