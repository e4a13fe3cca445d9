"""Reads the user's own pictures, from class folders or an archive of them."""

from capsjax.data.folder.layout import arrange
from capsjax.data.folder.load import load_folder
from capsjax.data.folder.pictures import read_pictures
from capsjax.data.folder.source import find_files, find_source

__all__ = [
  'arrange',
  'find_files',
  'find_source',
  'load_folder',
  'read_pictures',
]
