"""The transforms of a bilinear convolution: exact, with few products."""

import numpy as np
import pytest

from capsjax.ops import bilinear


@pytest.mark.parametrize('tile', [(1, 1), (1, 4), (3, 2), (4, 4)])
@pytest.mark.parametrize('taps', [(1, 1), (2, 2), (1, 3), (5, 4)])
def test_matrices_compute_a_valid_correlation(tile, taps):
  a, b, g = bilinear.matrices(tile, taps)
  rng = np.random.default_rng(0)
  image = rng.normal(size=(tile[0] + taps[0] - 1, tile[1] + taps[1] - 1))
  kernel = rng.normal(size=taps)
  found = a.T @ ((b @ image.ravel()) * (g @ kernel.ravel()))
  expected = [
    np.sum(image[y : y + taps[0], x : x + taps[1]] * kernel)
    for y, x in np.ndindex(tile)
  ]
  np.testing.assert_allclose(found, expected, atol=1e-12)


def test_the_papers_layer_takes_a_fifth_of_the_products():
  # 6x6 outputs of 9x9 taps in 4 phases of 5x5: the kernel fills 81 of 100 taps.
  a, b, g = bilinear.matrices((6, 6), (5, 5))
  assert (a.shape[1], b.shape[1], g.shape[1]) == (36, 100, 25)
  assert len(a) == len(b) == len(g)
  per_output = 4 * len(a) / 36
  assert per_output < 81 / 4
