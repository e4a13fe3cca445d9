"""Grids of images."""

import numpy as np
import pytest

from capsjax.visualization.grid import image_grid


def test_every_image_is_where_it_should_be():
  a, b, c, d = (np.full((2, 3, 1), value, np.uint8) for value in (1, 2, 3, 4))
  picture = image_grid([np.stack([a, b]), np.stack([c, d])])
  np.testing.assert_array_equal(
    picture[..., 0],
    [
      [1, 1, 1, 255, 2, 2, 2],
      [1, 1, 1, 255, 2, 2, 2],
      [255, 255, 255, 255, 255, 255, 255],
      [3, 3, 3, 255, 4, 4, 4],
      [3, 3, 3, 255, 4, 4, 4],
    ],
  )
  assert picture.dtype == np.uint8


def test_pixels_keep_their_place_and_color():
  rows = np.random.default_rng(0).random((3, 4, 5, 6, 3), np.float32)
  picture = image_grid(list(rows), separator=2)
  assert picture.shape == (3 * 5 + 2 * 2, 4 * 6 + 3 * 2, 3)
  assert picture.dtype == np.float32
  np.testing.assert_array_equal(picture[7:12, 16:22], rows[1, 2])
  np.testing.assert_array_equal(picture[5:7], 1)


def test_no_separator():
  rows = np.arange(2 * 3 * 4, dtype=np.float32).reshape(1, 2, 3, 4, 1)
  np.testing.assert_array_equal(
    image_grid(list(rows), separator=0), np.concatenate(rows[0], axis=1)
  )


@pytest.mark.parametrize(
  'rows',
  [
    [],
    [np.zeros((2, 3, 3, 1)), np.zeros((1, 3, 3, 1))],
    [np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 1), np.uint8)],
  ],
)
def test_rows_that_do_not_fit(rows):
  with pytest.raises(ValueError, match='one shape and dtype'):
    image_grid(rows)


def test_a_stereo_pair_is_red_and_cyan():
  images = np.random.default_rng(0).random((2, 3, 4, 2))
  picture = image_grid([images])
  assert picture.shape == (3, 9, 3)
  np.testing.assert_array_equal(picture[:, :4], images[0][..., [0, 1, 1]])
  np.testing.assert_array_equal(picture[:, 4], np.ones((3, 3)))
