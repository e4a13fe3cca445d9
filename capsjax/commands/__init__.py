"""The command line: its parser, and one module per command."""

from capsjax.commands.command_line import parse, split_overrides

__all__ = ['parse', 'split_overrides']
