"""The reference of the configuration, from the fields' declarations."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Iterator
from typing import Any

from capsjax.runs import Config

_INTRODUCTION = """\
# Configuration

Every field of a configuration, with its type, its default, its meaning and the
values that are allowed. Set one on the command line:

```sh
capsjax train --config mnist --config.optimizer.learning_rate=0.002
```

or in a file of your own, which `--config mine.py` trains with:

```python
import capsjax


def get_config():
  config = capsjax.default_config()
  config.optimizer.learning_rate = 0.002
  return config
```

A run keeps its configuration in `config.json`. When it is resumed, only the
fields marked with \\* may have other values. `capsjax config` prints the
same list, and `capsjax config mnist --yaml` a file to edit.
"""


def page() -> str:
  """Returns the page."""
  return '\n'.join([_INTRODUCTION, *_section('config', [Config])])


def _section(name: str, kinds: list[type[Any]]) -> Iterator[str]:
  """Yields the fields of a section, for each class that it may have."""
  yield f'## {name}\n'
  for kind in kinds:
    about = ' '.join((kind.__doc__ or '').split())
    yield f'{about}\n'
    yield from map(_entry, filter(_is_leaf, dataclasses.fields(kind)))
  for kind in kinds:
    for field in dataclasses.fields(kind):
      if not _is_leaf(field):
        yield from _section(f'{name}.{field.name}', _classes(field.type))


def _is_leaf(field: dataclasses.Field[Any]) -> bool:
  """Tells a field from a section of fields."""
  return 'rule' in field.metadata


def _classes(annotation: Any) -> list[type[Any]]:
  kinds = typing.get_args(annotation) or (annotation,)
  return [kind for kind in kinds if dataclasses.is_dataclass(kind)]


def _entry(field: dataclasses.Field[Any]) -> str:
  """Returns a term and its definition."""
  told = field.metadata
  mark = '\\*' if told['may_change'] else ''
  kind = inspect.formatannotation(field.type)
  values = f' Must be {told["rule"].meaning}.' if told['rule'].meaning else ''
  return f"""\
`{field.name}`{mark}, `{kind}`, default `{field.default!r}`
: {_text(told['meaning'] + values)}
"""


def _text(meaning: str) -> str:
  """Returns a meaning in which no character is taken for Markdown."""
  return re.sub(r'([\\`*_\\[\\]<>])', r'\\\1', meaning)
