"""Commands as a user gives them: here, in a process beside this, or alone."""

import concurrent.futures
import contextlib
import functools
import io
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from capsjax import main

# Not from conftest.py, whose strict rules are not a user's.
REPOSITORY = Path(__file__).resolve().parents[1]

# A run with a network for small images, of which a step takes a moment.
TINY_NETWORK = (
  '--config.model.conv_features=4',
  '--config.model.conv_kernel_size=(3, 3)',
  '--config.model.num_types=2',
  '--config.model.primary_kernel_size=(3, 3)',
  '--config.model.primary_strides=(4, 4)',
  '--config.model.decoder_sizes=(8,)',
  # To compile as little as need be.
  '--config.diagnostics=False',
)


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


def start(*words: object, devices: int = 1) -> subprocess.Popen[str]:
  """Starts `python -m capsjax.main` in a process of its own.

  For what another process cannot share: signals, and the number of devices.
  """
  flags = (
    f'--xla_force_host_platform_device_count={devices}',
    '--xla_backend_optimization_level=0',
  )
  return subprocess.Popen(
    [sys.executable, '-m', 'capsjax.main', *map(str, words)],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    cwd=REPOSITORY,
    env=os.environ
    | {
      'XLA_FLAGS': ' '.join(flags),
      'PYTHONPATH': str(REPOSITORY),
      'PYTHONUNBUFFERED': '1',
    },
  )


def finish(process: subprocess.Popen[str]) -> Done:
  """Waits for a process of `start`."""
  out, err = process.communicate(timeout=240)
  return Done(process.returncode, out, err)


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
