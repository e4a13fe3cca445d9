"""How the programs of this folder start and end."""

import sys
from collections.abc import Callable

from capsjax.errors import UserError, memory_told
from capsjax.huge_pages import restart_with_huge_pages


def leave_with(name: str, run: Callable[[], int]) -> None:
  """Runs a program and leaves with its exit status.

  Args:
    name: of the program, which its errors begin with.
    run: returns the exit status. A mistake of the user's is told in one line,
      with status 2.
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
