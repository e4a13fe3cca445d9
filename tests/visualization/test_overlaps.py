"""Figures of overlapping objects in two colours: what they show, and where."""

import numpy as np
import pytest

from capsjax.visualization import overlap_figure
from capsjax.visualization.overlaps import overlay

NAMES = ('ant', 'bee', 'cat', 'dog')
LABELS = np.array([[0, 1], [1, 3], [0, 2], [2, 3]])
PREDICTIONS = np.array([[0, 1], [1, 2], [0, 2], [2, 3]])
ABSENT = np.array([[0, 3], [1, 0], [0, 1], [2, 1]])
IS_RIGHT = (True, False, True, True)


def pairs(seed):
  shape = (len(LABELS), 2, 5, 4, 1)
  return np.random.default_rng(seed).random(shape).astype(np.float32)


def arguments():
  return {
    'images': pairs(0)[:, 0],
    'objects': pairs(1),
    'labels': LABELS,
    'predictions': PREDICTIONS,
    'by_prediction': pairs(2),
    'by_label': pairs(3),
    'absent': ABSENT,
    'by_absent': pairs(4),
    'class_names': NAMES,
  }


def figure_of(*, columns, **changes):
  fields = arguments() | changes
  first = [fields.pop(name) for name in ('images', 'objects', 'labels')]
  return overlap_figure(
    *first, fields.pop('predictions'), **fields, columns=columns
  )


def cells(axes):
  """Returns the images [5, 4, 3] of a grid by row and column."""
  (drawn,) = axes.get_images()
  picture = np.asarray(drawn.get_array())
  # White lines of one pixel lie between them.
  rows, columns = picture.shape[0] // 5, picture.shape[1] // 4
  return [
    [
      picture[6 * row : 6 * row + 5, 5 * column : 5 * column + 4]
      for column in range(columns)
    ]
    for row in range(rows)
  ]


def two_colours(pair):
  """Returns red, green, and a quarter of their overlap in blue."""
  picture = np.zeros((5, 4, 3))
  for y, x in np.ndindex(5, 4):
    red, green = pair[0, y, x, 0], pair[1, y, x, 0]
    picture[y, x] = red, green, red * green / 4
  return picture


def test_the_first_object_is_red_and_the_second_green():
  found = overlay(pairs(1))
  assert found.dtype == np.float32
  for picture, pair in zip(found, pairs(1), strict=True):
    np.testing.assert_allclose(picture, two_colours(pair), rtol=1e-6)
  white, black = np.ones((1, 1, 1)), np.zeros((1, 1, 1))
  both = np.array([[white, black], [black, white], [black, black]])
  colours = overlay(both).reshape(3, 3)
  assert colours.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_right_predictions_are_above_wrong_ones_in_rows_that_may_be_partial():
  figure = figure_of(columns=2)
  assert [axes.get_title() for axes in figure.axes] == [
    'right (3)',
    '',
    'wrong (1): labels → predictions',
  ]
  heads = [
    [text.get_text() for text in axes.get_xticklabels()] for axes in figure.axes
  ]
  # The absent classes are named below the labels.
  assert heads == [
    ['ant, bee\nasked ant, dog', 'ant, cat\nasked ant, bee'],
    ['cat, dog\nasked cat, bee'],
    ['bee, dog\n→ bee, cat'],
  ]
  rows = [
    [text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes
  ]
  both = ['image', 'its objects']
  right = [*both, 'reconstructed', 'absent asked']
  assert rows == [right, right, [*both, 'as predicted', 'as labelled']]


def test_every_picture_is_where_its_labels_are():
  blocks = [cells(axes) for axes in figure_of(columns=2).axes]
  fields = arguments()
  places = {0: (0, 0), 2: (0, 1), 3: (1, 0), 1: (2, 0)}
  for example, (block, column) in places.items():
    image, objects, predicted, other = (row[column] for row in blocks[block])
    gray = np.repeat(fields['images'][example], 3, -1)
    np.testing.assert_array_equal(image, gray)
    expected = 'by_absent' if IS_RIGHT[example] else 'by_label'
    for found, name in (
      (objects, 'objects'),
      (predicted, 'by_prediction'),
      (other, expected),
    ):
      np.testing.assert_allclose(
        found, two_colours(fields[name][example]), rtol=1e-6
      )
  # The rest of a row is white.
  for block in (1, 2):
    assert all((row[1] == 1).all() for row in blocks[block])


@pytest.mark.parametrize(
  ('predictions', 'titles'),
  [
    (LABELS, ['right (4)']),
    (ABSENT[:, ::-1], ['wrong (4): labels → predictions']),
  ],
)
def test_only_the_kind_that_there_is(predictions, titles):
  figure = figure_of(columns=10, predictions=predictions)
  assert [axes.get_title() for axes in figure.axes] == titles


def test_no_image_is_an_error():
  fields = arguments()
  none = {k: v[:0] for k, v in fields.items() if k != 'class_names'}
  with pytest.raises(ValueError, match='no image'):
    figure_of(columns=10, **none)
