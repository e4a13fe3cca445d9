"""Large pages of memory for a command.

On a CPU, XLA asks the C library for the memory of a step anew in every step,
the library asks the system, and the system clears each page that is touched:
100,000 page faults, a fifth of the time of a step of the paper's network. With
pages of 2 MiB there are a thousand. Linux gives them to a program that asks
(its usual setting, "madvise"); glibc asks if a variable of the environment says
so when the program starts.
"""

import os
import sys
from pathlib import Path

_VARIABLE = 'GLIBC_TUNABLES'
_SETTING = Path('/sys/kernel/mm/transparent_hugepage/enabled')


def restart_with_huge_pages() -> None:
  """Starts this command again with huge pages, if it would gain by that.

  To be called before anything else. Returns at once where Linux does not leave
  the choice to programs, or where the user has set `GLIBC_TUNABLES`. The
  process keeps its number, its files and its words.
  """
  if _VARIABLE in os.environ or not _is_offered():
    return
  os.environ[_VARIABLE] = 'glibc.malloc.hugetlb=1'
  os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _is_offered() -> bool:
  try:
    return '[madvise]' in _SETTING.read_text()
  except OSError:
    return False
