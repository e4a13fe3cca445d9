"""Commands in this process, which has imported everything and shares code."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

import jax

from capsjax import main
from tests.conftest import REPOSITORY


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


def run(command: Callable[..., Any], *words: object) -> Done:
  """Gives words to a command, as a user does in the checkout's folder.

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
    # The program's own settings; under test they are stricter.
    jax.numpy_dtype_promotion('standard'),
    jax.numpy_rank_promotion('allow'),
  ):
    try:
      status = command()
    except SystemExit as error:
      status = error.code
  return Done(status, out.getvalue(), err.getvalue())


def capsjax(*words: object) -> Done:
  """Runs `python -m capsjax.main`."""
  return run(main.main, *words)
