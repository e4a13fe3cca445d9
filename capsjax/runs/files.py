"""Writing what a command found."""

from pathlib import Path


def write_text(path: Path, text: str) -> None:
  """Writes a file whole or not at all; its folder is made if absent.

  Args:
    path: the file.
    text: what is in it, as UTF-8.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  partial = path.with_name(f'{path.name}.partial')
  partial.write_text(text, encoding='utf-8')
  partial.replace(path)
