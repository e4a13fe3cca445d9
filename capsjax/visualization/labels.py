"""Labels that fit: broken into lines, and shortened if they are too long."""

import bisect
import functools
import math
import re
from collections.abc import Iterator, Sequence

# The height of a line of text, as a multiple of the font size.
_LINE = 1.25
_POINTS_PER_INCH = 72
# Texts become somewhat wider when letters are rounded to whole pixels.
_SLACK = 1.05
# A word with the space after it, and a part of a word with the mark after it.
_WORD = re.compile(r'\S+\s*')
_PART = re.compile(r'[^_\-/,=.]*[_\-/,=.]+|[^_\-/,=.]+')


def text_width(text: str, *, size: float) -> float:
  """Returns the width in inches of a line in matplotlib's default font.

  Args:
    text: one line.
    size: the font size in points.
  """
  return sum(map(_advance, text), 0.0) * size / _POINTS_PER_INCH


def text_height(text: str, *, size: float) -> float:
  """Returns the height in inches of a text of several lines."""
  return len(text.splitlines()) * _LINE * size / _POINTS_PER_INCH


def fit_label(text: str, *, width: float, size: float, lines: int = 3) -> str:
  """Breaks a label into lines that are no wider than `width`.

  Args:
    text: the label; white space becomes single spaces.
    width: the width in inches.
    size: the font size in points.
    lines: the most lines. A longer label loses its middle, because the names of
      similar classes often differ only at their beginning or their end.

  Returns:
    The label with line breaks, and with '…' for what was left out.
  """
  text = ' '.join(text.split())
  limit = width * _POINTS_PER_INCH / size
  broken = _break(text, limit)
  if len(broken) > lines:

    def fits_not(kept: int) -> bool:
      return len(_break(_without_middle(text, kept), limit)) > lines

    most = bisect.bisect_left(range(len(text)), True, key=fits_not) - 1
    broken = _break(_without_middle(text, max(most, 0)), limit)
  return '\n'.join(broken)


def fit_parts(
  parts: Sequence[str], *, width: float, size: float, lines: int = 3
) -> str:
  """Puts parts on one line if they fit, or else each part on lines of its own.

  Args:
    parts: such as a label and '→ prediction'.
    width: as for `fit_label`, and so is the next one.
    size: as for `fit_label`.
    lines: the most lines of each part.
  """
  together = ' '.join(parts)
  if text_width(together, size=size) <= width:
    return together
  return '\n'.join(
    fit_label(part, width=width, size=size, lines=lines) for part in parts
  )


def _without_middle(text: str, kept: int) -> str:
  """Returns a text of which so many characters are kept."""
  head, tail = math.ceil(kept / 2), kept // 2
  return f'{text[:head]}…{text[len(text) - tail :]}'


def _break(text: str, limit: float) -> list[str]:
  """Breaks a text into lines that are no wider than `limit` font sizes."""
  lines = ['']
  for piece in _pieces(text, limit):
    if lines[-1] and _width(lines[-1] + piece) > limit:
      lines.append('')
    lines[-1] += piece
  return [line.rstrip() for line in lines]


def _pieces(text: str, limit: float) -> Iterator[str]:
  """Cuts a text into words; too wide ones into parts, or into characters."""
  for word in _WORD.findall(text):
    if _width(word) <= limit:
      yield word
      continue
    for part in _PART.findall(word):
      # Iterating over a string yields its characters.
      yield from [part] if _width(part) <= limit else part


def _width(text: str) -> float:
  # A space at the end of a line takes no room.
  return sum(map(_advance, text.rstrip()), 0.0)


@functools.cache
def _advance(character: str) -> float:
  """Returns the width of a character as a multiple of the font size."""
  from matplotlib import font_manager

  properties = font_manager.FontProperties()
  font = font_manager.get_font(font_manager.findfont(properties))
  font.set_size(_POINTS_PER_INCH, _POINTS_PER_INCH)
  # In units of 1/65536 pixel.
  advance = font.load_char(ord(character)).linearHoriAdvance / 65536
  return _SLACK * float(advance) / _POINTS_PER_INCH
