"""No text covers another, or a picture, whatever the classes are called."""

import itertools
from unittest import mock

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from capsjax import visualization
from capsjax.visualization.labels import fit_label, fit_parts, text_width


def names(length, *, spaces):
  """Returns ten wide names of some length, which differ at their ends."""
  filler = 'Wm ' if spaces else 'Wm'
  return [
    f'{k}{(filler * length)[: length - 2].replace("  ", " W")}{k}'
    for k in range(10)
  ]


def reconstructions(classes):
  images = np.zeros((20, 9, 9, 1), np.float32)
  labels = np.arange(20) % 10
  predictions = np.where(np.arange(20) < 12, labels, (labels + 3) % 10)
  return visualization.reconstruction_figure(
    images,
    labels,
    predictions,
    by_prediction=images,
    by_label=images,
    class_names=classes,
  )


def overlaps(classes):
  images = np.zeros((12, 9, 9, 1), np.float32)
  pairs = np.zeros((12, 2, 9, 9, 1), np.float32)
  labels = np.stack([np.arange(12) % 9, np.arange(12) % 9 + 1], 1)
  return visualization.overlap_figure(
    images,
    pairs,
    labels,
    np.where(np.arange(12)[:, None] < 6, labels, (labels + 2) % 10),
    by_prediction=pairs,
    by_label=pairs,
    absent=(labels + 1) % 10,
    by_absent=pairs,
    class_names=classes,
    columns=5,
  )


def perturbations(classes):
  return visualization.perturbation_figure(
    np.zeros((7, 3, 5, 9, 9, 1), np.float32),
    np.linspace(-0.25, 0.25, 5),
    [f'class {name}, test image 12345' for name in classes[:7]],
  )


def couplings(classes):
  rng = np.random.default_rng(0)
  return visualization.coupling_figure(
    rng.random((7, 9, 9, 1)),
    rng.random((7, 3, 3)),
    [f'{a}\n→ {b}' for a, b in itertools.pairwise(classes[:8])],
  )


def confusion(classes):
  return visualization.confusion_figure(np.full((10, 10), 9_999_999), classes)


def curves(classes):
  curve = visualization.Curve(np.arange(5.0), 1e-4 * np.arange(5.0))
  groups = {name: [curve, curve] for name in classes}
  return visualization.curves_figure(
    {name: groups for name in classes[:2]} | {'alone': {'': [curve]}}
  )


FIGURES = (
  *(reconstructions, overlaps, perturbations),
  *(couplings, confusion, curves),
)


def drawn_texts(figure):
  """Draws a figure; returns each text with its bounding box in pixels."""
  canvas, found, draw = FigureCanvasAgg(figure), [], Text.draw

  def record(text, renderer, *args, **kwargs):
    if text.get_visible() and text.get_text().strip():
      found.append((text, text.get_window_extent(renderer)))
    return draw(text, renderer, *args, **kwargs)

  canvas.draw()  # The layout is ready when a figure is drawn a second time.
  with mock.patch.object(Text, 'draw', record):
    canvas.draw()
  return found


def area_of_both(one, other):
  """Returns the area in square pixels in which two boxes overlap."""
  width = min(one.x1, other.x1) - max(one.x0, other.x0)
  height = min(one.y1, other.y1) - max(one.y0, other.y0)
  return max(width, 0) * max(height, 0)


@pytest.mark.parametrize('draw', FIGURES, ids=lambda draw: draw.__name__)
@pytest.mark.parametrize(
  ('length', 'spaces'), [(5, False), (20, False), (60, False), (60, True)]
)
def test_texts_cover_nothing(draw, length, spaces):
  figure = draw(names(length, spaces=spaces))
  found = drawn_texts(figure)
  assert len(found) > 10
  for (one, box), (other, other_box) in itertools.combinations(found, 2):
    assert area_of_both(box, other_box) < 1, (one, other)
  for text, box in found:
    assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text
    assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text
    for axes in figure.axes:
      # Counts stand in the cells of a confusion matrix.
      if text not in axes.texts:
        assert area_of_both(box, axes.get_window_extent()) < 1, text


def test_legends_are_outside_of_all_panels():
  figure = curves(names(60, spaces=True))
  drawn_texts(figure)
  (legend,) = figure.legends
  assert len(legend.get_texts()) == 10
  assert not [axes.get_legend() for axes in figure.axes if axes.get_legend()]
  for axes in figure.axes:
    # With its labels.
    box = axes.get_tightbbox()
    assert area_of_both(legend.get_window_extent(), box) < 1
    assert box.height > 200


def test_a_group_has_one_colour_in_all_panels():
  curve = visualization.Curve(np.arange(3.0), np.arange(3.0))
  figure = visualization.curves_figure(
    {
      'first': {'a': [curve], 'b': [curve]},
      'second': {'b': [curve]},
      'third': {'': [curve]},
    }
  )
  first, second, third = figure.axes
  a, b = (line.get_color() for line in first.get_lines())
  assert a != b
  assert [line.get_color() for line in second.get_lines()] == [b]
  assert third.get_lines()[0].get_color() not in (a, b)
  (legend,) = figure.legends
  colors = [line.get_color() for line in legend.get_lines()]
  labels = [text.get_text() for text in legend.get_texts()]
  assert dict(zip(labels, colors, strict=True)) == {'a': a, 'b': b}


def test_a_label_that_fits_stays_as_it_is():
  assert (
    fit_label('golden retriever', width=2.0, size=9.0) == 'golden retriever'
  )


def test_lines_break_at_words_then_at_marks_then_anywhere():
  width = text_width('retriever', size=9.0)
  assert fit_label('golden retriever', width=width, size=9.0) == (
    'golden\nretriever'
  )
  assert fit_label('golden_retriever', width=width, size=9.0) == (
    'golden_\nretriever'
  )
  assert fit_label('retrieverretrieverx', width=width, size=9.0) == (
    'retriever\nretriever\nx'
  )


def test_a_long_label_keeps_its_beginning_and_its_end():
  first, second = (
    fit_label(f'n0144{"-fish" * 20}-{k}', width=0.6, size=7.0) for k in (1, 2)
  )
  assert first != second
  assert first.startswith('n0144') and first.endswith('-1')
  assert first.count('\n') == 2 and first.count('…') == 1


def test_parts_share_a_line_if_they_fit():
  assert fit_parts(['cat', '→ dog'], width=1.0, size=7.0) == 'cat → dog'
  assert fit_parts(['cat', '→ dog'], width=0.4, size=7.0) == 'cat\n→ dog'


@pytest.mark.parametrize('dots_per_inch', [80, 120, 300])
@pytest.mark.parametrize('text', ['Golden retriever, 12 → 34', 'Wm' * 20])
def test_a_text_is_drawn_no_wider_than_measured(text, dots_per_inch):
  from matplotlib.figure import Figure

  figure = Figure(dpi=dots_per_inch)
  figure.text(0, 0.5, text, fontsize=9)
  ((_, box),) = drawn_texts(figure)
  drawn = box.width / dots_per_inch
  assert drawn <= text_width(text, size=9.0) <= 1.15 * drawn
