"""Runs commands as a user would: in this process, a helper, or a new one."""

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

# Not imported from conftest.py, whose strict settings users do not have.
REPOSITORY = Path(__file__).resolve().parents[1]

# A tiny network for small images, whose steps are fast.
TINY_NETWORK = (
  '--config.model.conv_features=4',
  '--config.model.conv_kernel_size=(3, 3)',
  '--config.model.num_types=2',
  '--config.model.primary_kernel_size=(3, 3)',
  '--config.model.primary_strides=(4, 4)',
  '--config.model.decoder_sizes=(8,)',
  # Less to compile.
  '--config.diagnostics=False',
)


class Done(NamedTuple):
  """The result of a command."""

  status: int
  out: str
  err: str

  @property
  def refusal(self) -> str:
    """The one-line error message."""
    assert self.status == 2, self.out + self.err
    (line,) = self.err.splitlines()
    return line


def run(command: Callable[[], Any], *words: object) -> Done:
  """Runs a command with arguments, in the root of the checkout.

  Args:
    command: reads `sys.argv`, and returns its exit status or exits with it.
    *words: the arguments.
  """
  out, err = io.StringIO(), io.StringIO()
  with (
    mock.patch.object(sys, 'argv', ['program', *map(str, words)]),
    # Restarting with huge pages would restart pytest.
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
  """Calls a function in a helper process that serves all such calls.

  The process has imported everything, has one device and the type promotion
  that users have, and compiles without optimisation, because compilation takes
  most of a short run.
  """
  return _process().submit(function, *args).result(timeout=240)


def capsjax(*words: object) -> Done:
  """Runs `python -m capsjax.main` in the helper process."""
  return beside(run, main.main, *words)


def start(*words: object, devices: int = 1) -> subprocess.Popen[str]:
  """Starts `python -m capsjax.main` in a new process.

  For tests that need their own process: of signals, or the number of devices.
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
  """Waits for a process that `start` started."""
  out, err = process.communicate(timeout=240)
  return Done(process.returncode, out, err)


@functools.cache
def _process() -> concurrent.futures.ProcessPoolExecutor:
  process = concurrent.futures.ProcessPoolExecutor(
    1, multiprocessing.get_context('spawn')
  )
  # XLA reads this once, when the process starts.
  flags = {'XLA_FLAGS': '--xla_backend_optimization_level=0'}
  with mock.patch.dict(os.environ, flags):
    process.submit(os.getpid).result()
  return process
