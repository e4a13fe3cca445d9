"""The command line: its parser, and one module per command."""

from capsjax.commands.command_line import (
  create_parser,
  parse,
  split_overrides,
)

__all__ = ['create_parser', 'parse', 'split_overrides']
