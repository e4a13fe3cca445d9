"""The folder of a run: its file names, and a lock for its writer."""

import contextlib
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from capsjax.errors import UserError
from capsjax.files import require_local


@dataclasses.dataclass(frozen=True)
class RunFolder:
  """The folder of a run, or the `--output` folder of a command.

  Attributes:
    path: the folder, which may not exist yet.

  Raises:
    UserError: if the path is an address, such as gs://bucket/run.
  """

  path: Path

  def __post_init__(self) -> None:
    """Refuses addresses, which `Path` would take for folders."""
    require_local(self.path)

  def __str__(self) -> str:
    return str(self.path)

  @property
  def config(self) -> Path:
    """The configuration."""
    return self.path / 'config.json'

  @property
  def dataset(self) -> Path:
    """The description of the data set."""
    return self.path / 'dataset.json'

  @property
  def fingerprints(self) -> Path:
    """The fingerprints of the training images."""
    return self.path / 'fingerprints.npy'

  @property
  def metrics(self) -> Path:
    """The metrics, one line of JSON per measured step."""
    return self.path / 'metrics.jsonl'

  @property
  def wandb_id(self) -> Path:
    """The id of the run in Weights & Biases, if it is tracked there."""
    return self.path / 'wandb_id.txt'

  @property
  def checkpoints(self) -> Path:
    """The folder of checkpoints."""
    return self.path / 'checkpoints'

  @property
  def evaluation(self) -> Path:
    """The result of `evaluate`."""
    return self.path / 'evaluation.json'

  @property
  def predictions(self) -> Path:
    """The result of `predict`."""
    return self.path / 'predictions.json'

  @property
  def report(self) -> Path:
    """The page that `report` writes for one run."""
    return self.path / 'report.html'

  @property
  def comparison(self) -> Path:
    """The page that `report` writes for several runs, in the first one."""
    return self.path / 'comparison.html'

  @property
  def explorer(self) -> Path:
    """The page that `explore` writes."""
    return self.path / 'explorer.html'

  @property
  def weights(self) -> Path:
    """The parameters that `export` writes."""
    return self.path / 'weights.safetensors'

  @property
  def classifier(self) -> Path:
    """The program that `export` writes."""
    return self.path / 'classifier.stablehlo'

  def picture(self, name: str) -> Path:
    """Returns the path of a picture by `reconstruct` or `perturb`."""
    return self.path / 'pictures' / f'{name}.png'

  @property
  def _lock(self) -> Path:
    # The system releases the lock when the process ends, however it ends.
    return self.path / '.lock'

  def require_run(self) -> None:
    """Checks that the folder holds a run.

    Raises:
      UserError: if it does not.
    """
    if not self.config.is_file():
      raise UserError(
        f'{self} holds no run; train one with --config FILE --workdir {self}'
      )

  @contextmanager
  def claimed(self) -> Iterator[None]:
    """Locks the folder against other writers, creating it if needed.

    Raises:
      UserError: if another process is writing there, or the folder cannot be
        written.
    """
    lock, is_new = filelock.FileLock(self._lock), not self.path.exists()
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      lock.acquire(blocking=False)
    except filelock.Timeout as error:
      raise UserError(
        f'another process is training in {self}; wait for it, or choose '
        f'another --workdir (if there is no such process, delete {self._lock})'
      ) from error
    except OSError as error:
      raise self._unwritable(error) from error
    try:
      yield
    finally:
      if is_new:
        # After a mistake, leave no empty folder behind.
        with contextlib.suppress(OSError):
          if [path.name for path in self.path.iterdir()] == [self._lock.name]:
            self._lock.unlink()
            self.path.rmdir()
      lock.release()

  def is_claimed(self) -> bool:
    """Returns whether a process is training here."""
    if not self._lock.exists():
      return False
    lock = filelock.FileLock(self._lock)
    try:
      lock.acquire(blocking=False)
    except filelock.Timeout:
      return True
    except OSError:  # The user may only read the folder.
      return False
    lock.release()
    return False

  @contextmanager
  def writes_told(self) -> Iterator[None]:
    """Turns errors of writing into the folder into a UserError."""
    try:
      yield
    except OSError as error:
      raise self._unwritable(error) from error

  def _unwritable(self, error: OSError) -> UserError:
    return UserError(
      f'cannot write into {self} ({error.strerror}); choose another --workdir'
    )
