"""An extension of Sphinx that makes what is not written by hand.

Before a build it writes the reference, and copies of the pages that live
elsewhere in the repository, into `docs`; git ignores them. While a page is read
it makes links to the repository's files work. Formulas become MathML, which
browsers draw without a script.
"""

from docutils import nodes
from latex2mathml import converter
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

from website import (
  command_line,
  configuration,
  contents,
  docstrings,
  included,
  reference,
)


def setup(app: Sphinx) -> dict[str, bool]:
  """Registers the extension."""
  app.connect('builder-inited', _write_pages)
  app.connect('source-read', _read_page)
  app.connect('autodoc-process-signature', docstrings.show_fields)
  # Before napoleon.
  app.connect(
    'autodoc-process-docstring', docstrings.keep_returns, priority=400
  )
  app.add_html_math_renderer(
    'mathml', inline_renderers=(_inline, None), block_renderers=(_block, None)
  )
  return {'parallel_read_safe': True, 'parallel_write_safe': True}


def _write_pages(app: Sphinx) -> None:
  pages = {
    **included.pages(),
    **reference.pages(),
    'reference/command-line.md': command_line.page(),
    'reference/configuration.md': configuration.page(),
  }
  for place, text in pages.items():
    path = app.srcdir / place
    path.parent.mkdir(exist_ok=True)
    # Sphinx builds anew what was written since the last build.
    if not path.exists() or path.read_text() != text:
      path.write_text(text)


def _read_page(app: Sphinx, name: str, source: list[str]) -> None:
  if app.env.doc2path(name).suffix != '.rst':
    source[0] = included.with_links(source[0], name)
  if name == app.config.root_doc:
    source[0] += contents.tree()


def _inline(translator: HTML5Translator, node: nodes.math) -> None:
  translator.body.append(converter.convert(node.astext()))
  raise nodes.SkipNode


def _block(translator: HTML5Translator, node: nodes.math_block) -> None:
  formula = converter.convert(node.astext(), display='block')
  translator.body.append(f'<div class="math">{formula}</div>')
  raise nodes.SkipNode
