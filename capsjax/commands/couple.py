"""Coupling maps: where in an image the winning class has its votes from."""

from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Int

from capsjax.commands.trained import Trained
from capsjax.data import scale_images
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
  if experiment.config.model.hidden_capsules:
    return None
  test = experiment.dataset.test
  images = test.images[positions]
  features, capsules, couplings, predictions = _look_inside(trained, images)
  maps = coupling_map(
    np.take_along_axis(couplings, predictions[:, None, None], 2)[..., 0],
    np.linalg.norm(capsules, axis=-1),
    features.shape[1:3],
  )
  titles = [
    f'{label} → {prediction}'
    for label, prediction in zip(
      test.labels[positions], predictions, strict=True
    )
  ]
  return coupling_figure(images / np.float32(255), maps, titles)


def _look_inside(trained, images):
  """Primary features and capsules, the last couplings, the predictions."""

  @jax.jit
  def apply(params, images):
    return trained.experiment.model.apply(
      {'params': params},
      scale_images(images),
      capture_intermediates=lambda module, _: (
        module.name in ('cell', 'primary_capsules')
      ),
      mutable=['intermediates'],
    )

  output, variables = jax.device_get(apply(trained.params, images))
  inside = variables['intermediates']
  primary = inside['primary_capsules']
  (features,), (capsules,) = primary['cell']['__call__'], primary['__call__']
  (couplings,) = inside['class_capsules']['couplings']
  wide = (x.astype(np.float32) for x in (features, capsules, couplings[-1]))
  return *wide, output.scores.argmax(-1)
