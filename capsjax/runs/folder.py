"""The folder of a run, which one process writes at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
from ml_collections import ConfigDict

from capsjax.errors import UserError
from capsjax.runs import configuration

CHECKPOINTS = 'checkpoints'
# The system lets go of the lock when its process ends, however it ends.
_LOCK_NAME = '.lock'


@contextmanager
def claimed(workdir: Path, config: ConfigDict) -> Iterator[None]:
  """Keeps other processes from writing into a run, and writes its `config`.

  Args:
    workdir: the folder of the run, made if absent.
    config: the configuration, put into it.

  Raises:
    UserError: another process is writing there, or nobody may.
  """
  lock = filelock.FileLock(workdir / _LOCK_NAME)
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    lock.acquire(blocking=False)
    configuration.save(config, workdir)
  except filelock.Timeout as error:
    raise UserError(
      f'another process is training in {workdir}; let it end, or choose '
      f'another --workdir (if there is none, delete {lock.lock_file})'
    ) from error
  except OSError as error:
    raise UserError(
      f'cannot write into {workdir} ({error.strerror}); choose another '
      '--workdir'
    ) from error
  try:
    yield
  finally:
    lock.release()


def is_claimed(workdir: Path) -> bool:
  """Whether a process is training in the folder of a run."""
  path = workdir / _LOCK_NAME
  if not path.exists():
    return False
  lock = filelock.FileLock(path)
  try:
    lock.acquire(blocking=False)
  except filelock.Timeout:
    return True
  except OSError:  # A folder that this user may only read.
    return False
  lock.release()
  return False
