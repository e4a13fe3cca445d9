"""The reference of the Python packages, from their docstrings."""

import importlib
import inspect
from typing import Any

# In the order in which they may import one another.
_PACKAGES = (
  *('ops', 'layers', 'models', 'nnx', 'data'),
  *('examples', 'training', 'visualization', 'runs'),
)


def pages() -> dict[str, str]:
  """Returns the page of each package, by its place."""
  names = {package: _names(f'capsjax.{package}') for package in _PACKAGES}
  top = _names('capsjax')
  # What a script calls is documented at the top, and all else in its package.
  others = set().union(*(names[p] for p in _PACKAGES if p != 'runs'))
  own = [name for name in top if name not in others]
  names['runs'] = [name for name in names['runs'] if name not in own]
  texts = {'reference/capsjax.rst': _page('capsjax', own, _table(top, names))}
  for package in _PACKAGES:
    text = _page(f'capsjax.{package}', names[package])
    texts[f'reference/{package}.rst'] = text
  return texts


def _names(package: str) -> list[str]:
  """Returns the public names of a package that are not modules.

  Functions come first, then classes and types.
  """
  module = importlib.import_module(package)
  names = [n for n in module.__all__ if not inspect.ismodule(_get(package, n))]
  return sorted(names, key=lambda name: (name[0].isupper(), name))


def _get(package: str, name: str) -> Any:
  return getattr(importlib.import_module(package), name)


def _page(package: str, names: list[str], table: str = '') -> str:
  """Returns the page that documents names of a package."""
  about = inspect.getdoc(importlib.import_module(package)) or ''
  parts = [package, '=' * len(package), '', about, '', table]
  parts += [f'.. py:currentmodule:: {package}', '']
  parts += [_directive(package, name) for name in names]
  return '\n'.join(parts)


def _directive(package: str, name: str) -> str:
  """Returns the directive that documents a name from its docstring."""
  value = _get(package, name)
  if inspect.isfunction(value):
    return f'.. autofunction:: {package}.{name}\n'
  if not inspect.isclass(value):
    return f'.. autodata:: {package}.{name}\n   :no-value:\n'
  kind = 'exception' if issubclass(value, Exception) else 'class'
  lines = [f'.. auto{kind}:: {package}.{name}']
  members = [
    member
    for member, what in vars(value).items()
    if _is_method(what)
    and (member == '__call__' or member[0] != '_')
    # A field whose default is a function looks like a method.
    and member not in getattr(value, '__dataclass_fields__', ())
  ]
  if members:
    lines.append(f'   :members: {", ".join(members)}')
  return '\n'.join([*lines, ''])


def _is_method(member: Any) -> bool:
  kinds = (classmethod, staticmethod, property)
  is_function = inspect.isfunction(member) or isinstance(member, kinds)
  return is_function and bool(inspect.getdoc(member))


def _table(top: list[str], names: dict[str, list[str]]) -> str:
  """Returns a table of the names of `capsjax`, with links and meanings."""
  lines = ['.. list-table::', '   :widths: 30 70', '']
  for name in top:
    value = _get('capsjax', name)
    homes = [f'capsjax.{p}' for p in _PACKAGES if name in names[p]]
    is_documented = inspect.isclass(value) or inspect.isfunction(value)
    about = inspect.getdoc(value) if is_documented else ''
    lines += [
      f'   * - :py:obj:`{name} <{(homes or ["capsjax"])[0]}.{name}>`',
      f'     - {(about or "").partition(chr(10))[0]}',
    ]
  return '\n'.join([*lines, ''])
