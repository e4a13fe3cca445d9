"""The command line: its words, and one module for each command."""

from capsjax.commands.command_line import parse, split_overrides

__all__ = ['parse', 'split_overrides']
