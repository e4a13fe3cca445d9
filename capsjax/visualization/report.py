"""Figures and tables in one self-contained HTML file."""

import base64
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from capsjax.visualization.templates import read_page_parts, render_page

if TYPE_CHECKING:
  import matplotlib.figure

_DOTS_PER_INCH = 110


@dataclasses.dataclass(frozen=True)
class Table:
  """A table.

  Attributes:
    heads: the column names; none for a list of names and values.
    rows: one cell per column; numbers are aligned to the right.

  Examples:
    >>> from capsjax.visualization import Table
    >>> table = Table(['class', 'error'], [['cat', 25.0], ['dog', 0.0]])
  """

  heads: Sequence[str]
  rows: Sequence[Sequence[object]]


class Picture(NamedTuple):
  """A picture in a page.

  Attributes:
    url: the `data:` URL of the PNG file.
    width: the width in pixels.
    height: the height in pixels.
  """

  url: str
  width: int
  height: int


@dataclasses.dataclass(frozen=True)
class Block:
  """A figure or a table, with text.

  Attributes:
    caption: the heading.
    note: the paragraph above it.
    figure: a matplotlib figure.
    table: a table.

  Examples:
    >>> from capsjax.visualization import Block, Table
    >>> table = Table(['class', 'error'], [['cat', 25.0], ['dog', 0.0]])
    >>> block = Block('Errors', note='In percent.', table=table)
    >>> block.picture is None  # it has no figure
    True
  """

  caption: str = ''
  note: str = ''
  figure: 'matplotlib.figure.Figure | None' = None
  table: Table | None = None

  @property
  def picture(self) -> Picture | None:
    """The figure as a picture; None if there is none."""
    if self.figure is None:
      return None
    file = io.BytesIO()
    self.figure.savefig(file, dpi=_DOTS_PER_INCH, metadata={'Software': None})
    data = base64.b64encode(file.getvalue()).decode('ascii')
    width, height = (self.figure.get_size_inches() * _DOTS_PER_INCH).astype(int)
    return Picture(f'data:image/png;base64,{data}', int(width), int(height))


@dataclasses.dataclass(frozen=True)
class Section:
  """A section of a report.

  Attributes:
    title: the heading.
    blocks: the figures and tables.

  Examples:
    >>> from capsjax.visualization import Block, Section
    >>> section = Section('What was learned', [Block('Errors')])
    >>> section.anchor
    'what-was-learned'
  """

  title: str
  blocks: Sequence[Block]

  @property
  def anchor(self) -> str:
    """The fragment of a link to the section."""
    return re.sub(r'\W+', '-', self.title.lower()).strip('-')


def report_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
  """Renders a report; the same content always gives the same bytes.

  Args:
    title: the heading.
    subtitle: the line below it.
    sections: the sections.

  Returns:
    The HTML, including the pictures.

  Examples:
    >>> from capsjax.visualization import Block, Section, Table, report_page
    >>> table = Table(['class', 'error'], [['cat', 25.0], ['dog', 0.0]])
    >>> sections = [Section('Errors', [Block(table=table)])]
    >>> page = report_page('Cats and dogs', '8 test images', sections)
    >>> 'Cats and dogs' in page and '25.0' in page
    True
  """
  return render_page(
    'report.html',
    title=title,
    subtitle=subtitle,
    sections=sections,
    style=read_page_parts('common.css', 'report.css'),
    script=read_page_parts('report.js'),
  )
