"""Coupling maps: where in an image the winning class has its votes from."""

from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np
from jaxtyping import Int

from capsjax.commands.trained import Trained
from capsjax.visualization import coupling_figure, coupling_map

if TYPE_CHECKING:
  import matplotlib.figure


def draw(
  trained: Trained, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure | None':
  """Draws the map of some test images.

  Args:
    trained: the run.
    positions: of the images in the test set.

  Returns:
    The figure, or None where the class capsules are not routed from primary
    capsules, which have a place in the image.
  """
  experiment = trained.experiment
  # A model without capsules has no such field.
  if getattr(experiment.model, 'hidden_capsules', True):
    return None
  dataset = experiment.dataset
  images = trained.inference.examples(positions).images
  inside = _look_inside(trained, images)
  kernel = np.asarray(trained.params['class_capsules']['kernel'])
  each = np.arange(len(images))
  maps = coupling_map(
    inside.couplings[each, :, inside.predictions],
    np.einsum('nid,inde->nie', inside.inputs, kernel[:, inside.predictions]),
    inside.capsules[each, inside.predictions],
    inside.grid,
  )
  titles = [
    f'{dataset.class_names[label]} → {dataset.class_names[prediction]}'
    for label, prediction in zip(
      dataset.test.labels[positions], inside.predictions, strict=True
    )
  ]
  return coupling_figure(images, maps, titles)


class _Inside(NamedTuple):
  """What the class capsules are made of.

  Attributes:
    grid: rows and columns of positions of primary capsules.
    inputs: `[n, in_caps, in_dim]`, these.
    couplings: `[n, in_caps, out_caps]`, of the last iteration.
    capsules: `[n, out_caps, out_dim]`, class capsules.
    predictions: `[n]`, the longest of them.
  """

  grid: tuple[int, int]
  inputs: np.ndarray
  couplings: np.ndarray
  capsules: np.ndarray
  predictions: np.ndarray


def _look_inside(trained: Trained, images: np.ndarray) -> _Inside:
  @jax.jit
  def apply(params, images):
    return trained.experiment.model.apply(
      {'params': params},
      images,
      capture_intermediates=lambda module, _: (
        module.name in ('cell', 'primary_capsules')
      ),
      mutable=['intermediates'],
    )

  output, variables = jax.device_get(apply(trained.params, images))
  inside = variables['intermediates']
  primary = inside['primary_capsules']
  (features,), (inputs,) = primary['cell']['__call__'], primary['__call__']
  (couplings,) = inside['class_capsules']['couplings']
  return _Inside(
    features.shape[1:3],
    inputs.astype(np.float32),
    couplings[-1].astype(np.float32),
    output.capsules,
    output.scores.argmax(-1),
  )
