"""Commands as a user gives them, in this process or in one beside it."""

import concurrent.futures
import contextlib
import functools
import io
import multiprocessing
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from capsjax import main

REPOSITORY = Path(__file__).resolve().parents[2]


class Done(NamedTuple):
  """What came of a command."""

  status: int
  out: str
  err: str

  @property
  def refusal(self) -> str:
    """The one line in which the user is told what is wrong."""
    assert self.status == 2, self.out + self.err
    (line,) = self.err.splitlines()
    return line


def run(command: Callable[[], Any], *words: object) -> Done:
  """Gives words to a command, in the checkout's folder.

  Args:
    command: reads `sys.argv`, and returns its exit status or leaves with it.
    words: after the program's name.
  """
  out, err = io.StringIO(), io.StringIO()
  with (
    mock.patch.object(sys, 'argv', ['program', *map(str, words)]),
    # A command that starts itself again for its memory would take pytest along.
    mock.patch.dict(os.environ, {'GLIBC_TUNABLES': ''}),
    contextlib.chdir(REPOSITORY),
    contextlib.redirect_stdout(out),
    contextlib.redirect_stderr(err),
  ):
    try:
      status = command()
    except SystemExit as error:
      status = error.code
  return Done(status, out.getvalue(), err.getvalue())


def beside(function: Callable[..., Any], *args: Any) -> Any:
  """Calls a function in a process that waits for more of them.

  It has everything imported, has one device, the promotion of types that users
  have, and compiles in a hurry: most of a short run is compilation.
  """
  return _process().submit(function, *args).result(timeout=240)


def capsjax(*words: object) -> Done:
  """Runs `python -m capsjax.main` in the process beside this one."""
  return beside(run, main.main, *words)


@functools.cache
def _process() -> concurrent.futures.ProcessPoolExecutor:
  process = concurrent.futures.ProcessPoolExecutor(
    1, multiprocessing.get_context('spawn')
  )
  # XLA reads this once, when its process starts.
  flags = {'XLA_FLAGS': '--xla_backend_optimization_level=0'}
  with mock.patch.dict(os.environ, flags):
    process.submit(os.getpid).result()
  return process
