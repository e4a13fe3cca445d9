"""Files of the repository as pages, and links to the others."""

import posixpath
import re
import tomllib
from pathlib import Path

from sphinx.util import logging

REPOSITORY = Path(__file__).resolve().parents[1]
# Pages of the site, and the files that they show.
_INCLUDED = {
  'experiments': 'experiments/README.md',
  'benchmarks': 'experiments/benchmarks/README.md',
}
_PICTURES = ('.png', '.svg')
# Marks of pictures for light and dark pages: on GitHub, and in the theme.
_THEMED = {
  'gh-light-mode-only': 'only-light',
  'gh-dark-mode-only': 'only-dark',
}
# A block of code, or the end of a link or of a picture.
_LINK = re.compile(
  r'(?P<code>^```.*?^```|`[^`\n]+`)|\]\((?P<target>[^)\s]+)\)', re.M | re.S
)
_log = logging.getLogger(__name__)


def address() -> str:
  """Returns the address of the repository."""
  project = tomllib.loads((REPOSITORY / 'pyproject.toml').read_text())
  urls = project['project']['urls'].values()
  return next(url for url in urls if url.startswith('https://github.com/'))


def pages() -> dict[str, str]:
  """Returns the included pages by their place."""
  return {
    f'{name}.md': (REPOSITORY / path).read_text()
    for name, path in _INCLUDED.items()
  }


def with_links(text: str, name: str) -> str:
  """Returns a page whose links to files of the repository work on the site.

  Links to included files lead to their pages, and links to other files to the
  repository. A link to no file is logged as a warning, with which a strict
  build fails.

  Args:
    text: the page, with links as they work in the repository.
    name: the name of the page on the site.
  """
  source = _INCLUDED.get(name, f'docs/{name}')

  def replace(match: re.Match[str]) -> str:
    if match['code']:
      return match['code']
    target, hash_sign, anchor = match['target'].partition('#')
    if not target or re.match(r'\w+:', target):
      return match[0]
    path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    link, themed = _link(path, name), _THEMED.get(anchor)
    if themed:
      return f']({link}){{.{themed}}}'
    return f']({link}{hash_sign}{anchor})'

  return _LINK.sub(replace, text)


def _link(path: str, name: str) -> str:
  """Returns the link from a page to a file of the repository."""
  made = {shown: f'docs/{page}.md' for page, shown in _INCLUDED.items()}
  path = made.get(path, path)
  is_page = path.startswith('docs/') and path.endswith(('.md', '.ipynb'))
  if is_page or path.endswith(_PICTURES):
    return posixpath.relpath(path, posixpath.dirname(f'docs/{name}'))
  if not (REPOSITORY / path).exists():
    _log.warning('%s links to %s, which does not exist', name, path)
  kind = 'tree' if (REPOSITORY / path).is_dir() else 'blob'
  return f'{address()}/{kind}/main/{path}'
