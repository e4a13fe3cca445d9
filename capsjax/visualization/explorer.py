"""A self-contained HTML page in which a trained network runs."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Integer, UInt8

from capsjax.visualization.templates import read_page_parts, render_page


def explorer_page(
  params: Mapping[str, Any],
  *,
  title: str,
  footer: str,
  test_images: UInt8[np.ndarray, 'n h w c'],
  test_labels: Integer[np.ndarray, ' n'],
  class_names: Sequence[str],
  num_iterations: int,
  leaky: bool = False,
  padding: str = 'VALID',
  primary_strides: tuple[int, int] = (2, 2),
  primary_scale: float = 1.0,
  perturbation_range: float = 0.25,
) -> str:
  """Renders a page for drawing, classifying, and moving capsules.

  The page needs no Internet and no server: it contains the weights in half
  precision, and runs encoder, routing and decoder in a worker.

  Args:
    params: the parameters of a `CapsNet` with a decoder.
    title: the heading.
    footer: the line at the bottom.
    test_images: images to choose from.
    test_labels: their classes.
    class_names: the name of each class.
    num_iterations: as in `CapsNet`, and so are the next four.
    leaky: as in `CapsNet`.
    padding: as in `CapsNet`.
    primary_strides: as in `CapsNet`.
    primary_scale: as in `CapsNet`.
    perturbation_range: each slider goes from -range to +range.

  Returns:
    The HTML.

  Examples:
    For a trained run, `capsjax explore --workdir runs/digits` does this:

    >>> import capsjax
    >>> from capsjax import visualization
    >>> from capsjax.data import load_digits
    >>> run, test = capsjax.load('runs/digits'), load_digits().test
    >>> page = visualization.explorer_page(
    ...   run.params,
    ...   title='Digits',
    ...   footer='a small network',
    ...   test_images=test.images[:20],
    ...   test_labels=test.labels[:20],
    ...   class_names=run.class_names,
    ...   num_iterations=run.config.model.routing.num_iterations,
    ...   primary_strides=run.config.model.primary_strides,
    ... )
    >>> '<title>Digits' in page
    True
  """
  from markupsafe import Markup

  tensors, weights = _pack(params)
  shapes = {tensor['name']: tensor['shape'] for tensor in tensors}
  layers = [f'capsules_{k}' for k in range(len(params))]
  layers = [name for name in layers if name in params] + ['class_capsules']
  model = {
    'tensors': tensors,
    'imageShape': test_images.shape[1:],
    'numClasses': len(class_names),
    'classNames': list(class_names),
    'capsuleDim': shapes['class_capsules/kernel'][3],
    'primaryDim': shapes['primary_capsules/bias'][1],
    'capsuleLayers': layers,
    'numDecoderLayers': len(params['decoder']),
    'numIterations': num_iterations,
    'leaky': leaky,
    'padding': padding,
    'primaryStrides': primary_strides,
    'primaryScale': primary_scale,
    'range': perturbation_range,
    'testImages': _base64(test_images.tobytes()),
    'testLabels': test_labels.tolist(),
  }

  return render_page(
    'explorer.html',
    title=title,
    footer=footer,
    style=read_page_parts('common.css', 'explorer.css'),
    script=read_page_parts('explorer.js'),
    network=read_page_parts('network.js'),
    # Escaped, so that no text in it can look like the end of the script.
    model=Markup(json.dumps(model).replace('<', '\\u003c')),
    weights=weights,
  )


def _pack(params):
  """Returns the offset of each parameter, and all parameters as base64."""
  leaves, _ = jax.tree_util.tree_flatten_with_path(params)
  tensors, offset = [], 0
  for path, leaf in leaves:
    name = '/'.join(key.key for key in path)
    tensors.append({'name': name, 'shape': list(leaf.shape), 'offset': offset})
    offset += leaf.size
  # Little-endian on every machine.
  numbers = np.concatenate([np.asarray(leaf).ravel() for _, leaf in leaves])
  return tensors, _base64(numbers.astype('<f2').tobytes())


def _base64(data):
  return base64.b64encode(data).decode('ascii')
