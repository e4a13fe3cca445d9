"""The configurations that come with capsjax, by name."""

import ast
from pathlib import Path


def folder() -> Path:
  """Returns the `configs` folder of an installed package, or of a checkout."""
  package = Path(__file__).resolve().parents[1]
  installed = package / 'configs'
  return installed if installed.is_dir() else package.parent / 'configs'


def names() -> dict[str, str]:
  """Returns what each configuration trains, by name."""
  found = {}
  for path in sorted(folder().glob('*.py')):
    if path.stem not in ('__init__', 'base'):
      docstring = ast.get_docstring(ast.parse(path.read_text())) or ''
      found[path.stem] = docstring.partition('\n')[0].removesuffix('.')
  return found


def find(path: Path) -> Path:
  """Returns the file of a name such as `mnist`; any other path unchanged."""
  shipped = folder() / f'{path}.py'
  is_name = path == Path(path.name) and not path.suffix
  return shipped if is_name and shipped.is_file() else path
