"""What figures show, and that the same arrays give the same bytes."""

import io

import numpy as np
import pytest

from capsjax import visualization


def png(figure):
  file = io.BytesIO()
  figure.savefig(file, metadata={'Software': None})
  return file.getvalue()


def pictures(figure):
  """Returns the images in a figure, without the white around them."""
  return [
    np.asarray(image.get_array())
    for axes in figure.axes
    for image in axes.get_images()
  ]


def words(axes):
  return [text.get_text() for text in axes.get_xticklabels()]


def shows(figure, image):
  """Returns whether a figure contains an image [h, w], pixel by pixel."""
  for picture in pictures(figure):
    height, width = image.shape
    if picture.ndim == 2 and picture.shape >= image.shape:
      windows = np.lib.stride_tricks.sliding_window_view(
        picture, (height, width)
      )
      if (abs(windows - image).max((-2, -1)) < 1e-6).any():
        return True
  return False


def reconstructions():
  rng = np.random.default_rng(0)
  arrays = rng.random((3, 5, 6, 4, 1)).astype(np.float32)
  labels = np.array([1, 2, 3, 0, 1])
  predictions = np.array([1, 2, 0, 0, 2])
  figure = visualization.reconstruction_figure(
    arrays[0],
    labels,
    predictions,
    by_prediction=arrays[1],
    by_label=arrays[2],
    columns=2,
  )
  return figure, arrays[..., 0]


def test_right_predictions_are_above_wrong_ones_with_both_readings():
  figure, (images, by_prediction, by_label) = reconstructions()
  assert [words(axes) for axes in figure.axes] == [
    ['1', '2'],
    ['0'],
    ['3 → 0', '1 → 2'],
  ]
  assert [axes.get_title() for axes in figure.axes] == [
    'right (3)',
    '',
    'wrong (2): label → prediction',
  ]
  for index in range(5):
    assert shows(figure, images[index])
    assert shows(figure, by_prediction[index])
    is_wrong = index in (2, 4)
    assert shows(figure, by_label[index]) == is_wrong


def test_labels_stand_at_the_middle_of_their_images():
  figure, _ = reconstructions()
  # Two images of 6 x 4 with a line between them: columns 0 to 3 and 5 to 8.
  assert list(figure.axes[0].get_xticks()) == [1.5, 6.5]
  assert list(figure.axes[0].get_yticks()) == [2.5, 9.5]


def test_pictures_are_deterministic():
  assert png(reconstructions()[0]) == png(reconstructions()[0])


def test_no_image_is_an_error():
  empty = np.zeros((0, 2, 2, 1), np.float32)
  none = np.zeros(0, int)
  with pytest.raises(ValueError, match='no image'):
    visualization.reconstruction_figure(
      empty, none, none, by_prediction=empty, by_label=empty
    )


def test_perturbed_capsules_are_those_of_a_plain_loop():
  capsules = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
  offsets = np.array([-0.5, 0.0, 0.25, 1.0])
  found = visualization.perturb_capsules(capsules, offsets)
  assert found.shape == (3, 5, 4, 5) and found.dtype == np.float32
  for image in range(3):
    for dim in range(5):
      for step in range(4):
        expected = capsules[image].copy()
        expected[dim] += offsets[step]
        np.testing.assert_allclose(found[image, dim, step], expected, rtol=1e-6)


def test_perturbations_by_dimension_and_offset():
  decoded = np.random.default_rng(2).random((3, 4, 5, 6, 6, 1))
  figure = visualization.perturbation_figure(
    decoded, np.linspace(-0.2, 0.2, 5), ['a', 'b', 'c'], columns=2
  )
  assert [axes.get_title() for axes in figure.axes] == ['a', 'b', 'c']
  for axes in figure.axes:
    assert words(axes) == ['-0.20', '-0.10', '+0.00', '+0.10', '+0.20']
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows == ['dim 0', 'dim 1', 'dim 2', 'dim 3']
  picture = pictures(figure)[1]
  np.testing.assert_array_equal(picture[14:20, 7:13], decoded[1, 2, 1, ..., 0])


def test_images_in_color():
  decoded = np.random.default_rng(3).random((1, 2, 3, 4, 4, 3))
  figure = visualization.perturbation_figure(decoded, np.arange(3.0), ['a'])
  (picture,) = pictures(figure)
  np.testing.assert_array_equal(picture[5:9, 5:9], decoded[0, 1, 1])


def test_curves_of_several_seeds_are_a_mean_with_its_spread():
  curve = visualization.Curve
  one = curve(np.array([1.0, 2, 3]), np.array([4.0, 2, 1]))
  other = curve(np.array([1.0, 3, 4]), np.array([2.0, 3, 9]))
  figure = visualization.curves_figure(
    {'loss': {'both': [one, other], 'one': [one]}, 'error': {'one': [one]}}
  )
  loss, error = figure.axes
  assert loss.get_title() == 'loss' and error.get_title() == 'error'
  mean, alone = loss.get_lines()
  np.testing.assert_array_equal(mean.get_xdata(), [1, 3])
  np.testing.assert_array_equal(mean.get_ydata(), [3, 2])
  np.testing.assert_array_equal(alone.get_ydata(), one.values)
  (band,) = loss.collections
  heights = band.get_paths()[0].vertices[:, 1]
  root = np.sqrt(2)  # the deviation of both 4, 2 and 1, 3
  assert heights.min() == pytest.approx(2 - root)
  assert heights.max() == pytest.approx(3 + root)
  assert not error.collections


def test_confusion_tells_every_count():
  confusion = np.array([[50, 1, 0], [0, 30, 2], [0, 0, 0]])
  figure = visualization.confusion_figure(confusion, ['a', 'b', 'c'])
  (axes,) = figure.axes
  texts = {text.get_position(): text.get_text() for text in axes.texts}
  assert texts == {(0, 0): '50', (1, 0): '1', (1, 1): '30', (2, 1): '2'}
  (shares,) = pictures(figure)
  np.testing.assert_allclose(shares[1], [0, 30 / 32, 2 / 32])
  np.testing.assert_array_equal(shares[2], 0)
  assert words(axes) == ['a', 'b', 'c']


def test_coupling_map_is_a_sum_over_the_types_of_a_place():
  rng = np.random.default_rng(4)
  couplings, votes = rng.random((2, 2, 3, 5)), rng.normal(size=(2, 2, 3, 5, 4))
  capsules = rng.normal(size=(2, 4))
  found = visualization.coupling_map(
    couplings.reshape(2, 30), votes.reshape(2, 30, 4), capsules, (2, 3)
  )
  for n, row, column in np.ndindex(2, 2, 3):
    expected = sum(
      couplings[n, row, column, k]
      * (votes[n, row, column, k] @ capsules[n])
      / np.linalg.norm(capsules[n])
      for k in range(5)
    )
    assert found[n, row, column] == pytest.approx(expected)


def test_all_places_add_up_to_the_length_of_the_weighted_sum():
  rng = np.random.default_rng(7)
  couplings, votes = rng.random((1, 6)), rng.normal(size=(1, 6, 4))
  weighted_sum = np.einsum('ni,nie->ne', couplings, votes)
  found = visualization.coupling_map(
    couplings, votes, 0.3 * weighted_sum, (3, 2)
  )
  assert found.sum() == pytest.approx(np.linalg.norm(weighted_sum))


def test_a_capsule_of_length_zero_has_an_empty_map():
  found = visualization.coupling_map(
    np.ones((1, 4)), np.ones((1, 4, 3)), np.zeros((1, 3)), (2, 2)
  )
  assert not found.any()


def test_a_name_may_be_what_matplotlib_takes_for_mathematics():
  """A figure that fails would end the training that draws it."""
  names = ['$1_$5', '$^$']
  pixels = np.random.default_rng(7).random((2, 3, 4, 8, 8, 1))
  figures = (
    visualization.confusion_figure(np.eye(2, dtype=int), names),
    visualization.coupling_figure(
      pixels[:, 0, 0], pixels[:, 0, 0, ..., 0], names
    ),
    visualization.perturbation_figure(pixels, np.arange(4.0), names),
  )
  for figure in figures:
    assert png(figure)


def couplings():
  # With the range of standardised images.
  images = 4 * np.random.default_rng(5).random((3, 8, 8, 1)) - 2
  maps = np.random.default_rng(6).random((3, 2, 2)) - 0.5
  figure = visualization.coupling_figure(
    images, maps, ['a', 'b', 'c'], columns=2
  )
  return figure, images, maps


def test_every_image_stands_above_its_map():
  figure, images, maps = couplings()
  *panels, bar = figure.axes
  assert [axes.get_title() for axes in panels] == ['a', '', 'b', '', 'c', '']
  assert bar.get_ylabel().startswith('for the class')
  for index in range(3):
    upper, lower = panels[2 * index : 2 * index + 2]
    (image,), (share,) = upper.get_images(), lower.get_images()
    np.testing.assert_array_equal(image.get_array(), images[index, ..., 0])
    assert image.get_clim() == (images[index].min(), images[index].max())
    np.testing.assert_array_equal(share.get_array(), maps[index])
    assert share.get_extent() == image.get_extent()
    assert share.get_clim() == (-abs(maps).max(), abs(maps).max())
    above, below = upper.get_position(), lower.get_position()
    assert (above.x0, above.x1) == (below.x0, below.x1)
    assert above.y0 > below.y1


def test_the_colours_of_a_map_are_those_of_its_colour_bar():
  figure, _, _ = couplings()
  *panels, bar = figure.axes
  for axes in panels[1::2]:
    for line in axes.collections:  # the outline of the image
      line.remove()
  pixels = visualization.figure_pixels(figure).astype(int)

  def inside(axes):
    box = axes.get_window_extent()
    top = pixels.shape[0] - box.y1
    return pixels[
      round(top) + 2 : round(top + box.height) - 2,
      round(box.x0) + 2 : round(box.x1) - 2,
    ].reshape(-1, 3)

  scale = np.unique(inside(bar), axis=0)
  assert len(scale) > 100
  for axes in panels[1::2]:
    found = np.unique(inside(axes), axis=0)
    distances = abs(found[:, None] - scale[None]).max(-1).min(-1)
    assert len(found) > 20 and distances.max() <= 3


def test_a_figure_as_pixels_is_the_one_that_is_written():
  from PIL import Image

  # Two figures, because drawing one again changes its layout.
  pixels, written = (
    visualization.confusion_figure(np.eye(3, dtype=int)) for _ in range(2)
  )
  pixels = visualization.figure_pixels(pixels)
  image = Image.open(io.BytesIO(png(written))).convert('RGB')
  np.testing.assert_array_equal(pixels, np.asarray(image))
