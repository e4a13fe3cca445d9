"""The method chosen for a convolution on a CPU, by its cost."""

import pytest

from capsjax.ops import bilinear, phases
from capsjax.ops.convolution_cost import choose_tile
from capsjax.ops.window import Window

PRIMARY = Window.create((20, 20), (9, 9), (2, 2), 'VALID')
FIRST = Window.create((28, 28), (9, 9), (1, 1), 'VALID')


def test_the_papers_primary_capsules_are_one_tile_at_batch_128():
  # The docstring of `bilinear` and the benchmark describe this case.
  assert PRIMARY.outputs == (6, 6)
  assert choose_tile(PRIMARY, 128, 256, 256) == (6, 6)


def test_one_image_goes_by_patches():
  # The kernel's transform alone would cost more.
  assert choose_tile(PRIMARY, 1, 256, 256) is None


@pytest.mark.parametrize('batch', [1, 16, 128, 1024])
def test_one_input_channel_goes_by_patches(batch):
  assert choose_tile(FIRST, batch, 1, 256) is None


def test_a_1x1_kernel_goes_by_patches():
  # Its patches are the image itself.
  window = Window.create((20, 20), (1, 1), (1, 1), 'VALID')
  assert choose_tile(window, 128, 256, 256) is None


@pytest.mark.parametrize('kernel', [5, 9])
@pytest.mark.parametrize('size', [24, 56, 112])
def test_large_images_are_cut_into_tiles_of_bounded_transforms(size, kernel):
  window = Window.create((size, size), (kernel, kernel), (1, 1), 'SAME')
  tile = choose_tile(window, 32, 128, 128)
  assert tile is not None
  assert all(m + kernel - 1 <= 20 for m in tile)
  assert min(bilinear.num_tiles(window, tile)) > 1


@pytest.mark.parametrize(
  ('window', 'tile', 'taps', 'num_tiles'),
  [
    (PRIMARY, (6, 6), (5, 5), (1, 1)),
    (PRIMARY, (4, 3), (5, 5), (2, 2)),
    (FIRST, (10, 7), (9, 9), (2, 3)),
  ],
)
def test_taps_and_tiles_the_eye_can_check(window, tile, taps, num_tiles):
  assert phases.taps(window) == taps
  assert bilinear.num_tiles(window, tile) == num_tiles
