"""Data set file formats, and downloads."""
