"""`python -m capsjax`: the command-line program."""

from capsjax.main import entry_point

entry_point()
