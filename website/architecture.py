"""Draws the network, with the sizes that the model itself reports.

Writes two pictures, one for light and one for dark pages:

  python -m website.architecture
"""

import math
from pathlib import Path
from xml.sax.saxutils import escape

import jax
import jax.numpy as jnp

from capsjax import CapsNet

FOLDER = Path(__file__).resolve().parents[1] / 'docs' / 'pictures'
# Text and lines, and the fill of boxes of features, capsules and the decoder.
COLOURS = {
  'light': ('#1f2328', ('#eef1f6', '#dbe6ff', '#e2f2e4')),
  'dark': ('#e6e9ef', ('#333a47', '#2b4478', '#2c5235')),
}
_WIDTH, _BOX, _GAP = 380, 46, 38


def shapes(images: tuple[int, ...] = (1, 28, 28, 1)) -> dict[str, tuple]:
  """Returns the shape of each layer's output for one image, and the sizes."""
  model = CapsNet()
  key, image = jax.random.key(0), jnp.zeros(images)
  variables = jax.eval_shape(model.init, key, image)
  _, read = jax.eval_shape(
    lambda v: model.apply(v, image, capture_intermediates=True), variables
  )
  found = {}
  for name, layer in read['intermediates'].items():
    if isinstance(layer, dict) and '__call__' in layer:
      found[name] = layer['__call__'][0].shape[1:]
  return found


def picture(scheme: str) -> str:
  """Returns the SVG for a light or a dark page."""
  ink, fills = COLOURS[scheme]
  steps = _steps()
  height = len(steps) * (_BOX + _GAP) - _GAP + 2
  parts = [
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
    f'width="{_WIDTH}" height="{height}" font-family="sans-serif" '
    'font-size="14" role="img">',
    '<title>The network, from an image to its reconstruction</title>',
  ]
  for index, (name, shape, kind, arrow) in enumerate(steps):
    top = 1 + index * (_BOX + _GAP)
    parts += _box(name, shape, top, ink, fills[kind])
    if arrow:
      parts += _arrow(arrow, top + _BOX, ink)
  return '\n'.join([*parts, '</svg>', ''])


def _steps() -> list[tuple[str, str, int, str]]:
  """Returns name, shape, kind and the operation that follows, of each box."""
  found, model = shapes(), CapsNet()
  num_primary, primary_dim = found['primary_capsules']
  side = math.isqrt(num_primary // model.num_types)
  num_classes, dim = found['class_capsules']
  sizes = ' and '.join(map(str, model.decoder_sizes))
  kernel = 'x'.join(map(str, model.conv_kernel_size))
  stride = model.primary_strides[0]
  return [
    ('image', '28 x 28 x 1', 0, f'convolution {kernel}, ReLU'),
    (
      'features',
      ' x '.join(map(str, found['conv'])),
      0,
      f'convolution {kernel}, stride {stride}, squash',
    ),
    (
      'primary capsules',
      f'{side} x {side} x {model.num_types} capsules of dimension '
      f'{primary_dim}',
      1,
      'votes, routing by agreement',
    ),
    (
      'class capsules',
      f'{num_classes} capsules of dimension {dim}; length = evidence',
      1,
      'keep the capsule of one class',
    ),
    (
      'decoder',
      f'fully connected, {sizes} units',
      2,
      'sigmoid',
    ),
    (
      'reconstruction',
      ' x '.join(map(str, found['decoder'])),
      2,
      '',
    ),
  ]


def _box(name: str, shape: str, top: int, ink: str, fill: str) -> list[str]:
  middle = _WIDTH / 2
  return [
    f'<rect x="1" y="{top}" width="{_WIDTH - 2}" height="{_BOX}" rx="6" '
    f'fill="{fill}" stroke="{ink}" stroke-opacity="0.4"/>',
    f'<text x="{middle}" y="{top + 19}" text-anchor="middle" '
    f'font-weight="bold" fill="{ink}">{escape(name)}</text>',
    f'<text x="{middle}" y="{top + 37}" text-anchor="middle" '
    f'fill="{ink}">{escape(shape)}</text>',
  ]


def _arrow(label: str, top: int, ink: str) -> list[str]:
  x, tip = 40, top + _GAP - 1
  return [
    f'<path d="M{x} {top + 1}V{tip}M{x - 5} {tip - 7}L{x} {tip}L{x + 5} '
    f'{tip - 7}" fill="none" stroke="{ink}" stroke-width="1.5"/>',
    f'<text x="{x + 16}" y="{top + 24}" fill="{ink}">{escape(label)}</text>',
  ]


if __name__ == '__main__':
  for scheme in COLOURS:
    (FOLDER / f'network-{scheme}.svg').write_text(picture(scheme))
