"""Figures and tables in one HTML file that needs nothing else."""

import base64
import dataclasses
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from capsjax.visualization.templates import render_page

if TYPE_CHECKING:
  import matplotlib.figure

_DOTS_PER_INCH = 110


@dataclasses.dataclass(frozen=True)
class Table:
  """A table.

  Attributes:
    heads: the columns' names.
    rows: a cell for each column; numbers are set to the right.
  """

  heads: Sequence[str]
  rows: Sequence[Sequence[object]]


@dataclasses.dataclass(frozen=True)
class Block:
  """A figure or a table, with words.

  Attributes:
    caption: its heading.
    note: a paragraph above it.
    figure: a matplotlib figure.
    table: a table.
  """

  caption: str = ''
  note: str = ''
  figure: 'matplotlib.figure.Figure | None' = None
  table: Table | None = None

  @property
  def image(self) -> str:
    """The figure as a `data:` address; empty if there is none."""
    if self.figure is None:
      return ''
    file = io.BytesIO()
    self.figure.savefig(file, dpi=_DOTS_PER_INCH, metadata={'Software': None})
    data = base64.b64encode(file.getvalue()).decode('ascii')
    return f'data:image/png;base64,{data}'


@dataclasses.dataclass(frozen=True)
class Section:
  """A part of the report.

  Attributes:
    title: its heading.
    blocks: what it holds.
  """

  title: str
  blocks: Sequence[Block]

  @property
  def anchor(self) -> str:
    """What a link to it names."""
    return re.sub(r'\W+', '-', self.title.lower()).strip('-')


def report_page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
  """Writes the page; the same figures, made anew, give the same text.

  Args:
    title: the heading.
    subtitle: a line below it.
    sections: the parts.

  Returns:
    The HTML, pictures included.
  """
  return render_page(
    'report.html', title=title, subtitle=subtitle, sections=sections
  )
