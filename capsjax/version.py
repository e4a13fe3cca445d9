"""The version of capsjax."""

from importlib import metadata

try:
  VERSION = metadata.version('capsjax')
except metadata.PackageNotFoundError:  # a folder on the path
  VERSION = 'not installed'
