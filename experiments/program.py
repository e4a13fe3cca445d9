"""How the programs in this folder start and exit."""

import sys
from collections.abc import Callable

from capsjax.errors import UserError, memory_told
from capsjax.huge_pages import restart_with_huge_pages


def leave_with(name: str, run: Callable[[], int]) -> None:
  """Runs a program and exits with its status.

  A user's mistake is reported in one line and exits with status 2.

  Args:
    name: the program's name, which begins its error messages.
    run: returns the exit status.
  """
  restart_with_huge_pages()
  try:
    with memory_told():
      sys.exit(run())
  except (UserError, OSError) as error:
    print(f'{name}: error: {error}', file=sys.stderr)
    sys.exit(2)
  except KeyboardInterrupt:
    print(f'{name}: interrupted', file=sys.stderr)
    sys.exit(130)
