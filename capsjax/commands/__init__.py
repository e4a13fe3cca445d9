"""The command line: its words, and one module for each command."""
