"""Intermediate values of a trained network."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from capsjax.runs.trained_run import TrainedRun


class Inside(NamedTuple):
  """Primary capsules, couplings and the class capsules they lead to.

  Attributes:
    grid: rows and columns of the grid of primary capsules.
    inputs: `[n, in_caps, in_dim]`, primary capsules.
    couplings: `[n, in_caps, out_caps]`, of the last iteration.
    capsules: `[n, out_caps, out_dim]`, class capsules.
    predictions: `[n]`, the class of the longest capsule.
  """

  grid: tuple[int, int]
  inputs: np.ndarray
  couplings: np.ndarray
  capsules: np.ndarray
  predictions: np.ndarray


def look_inside(
  trained: TrainedRun, images: Float[np.ndarray, 'n h w c']
) -> Inside:
  """Applies the model to images and returns its intermediate values.

  Args:
    trained: a run whose class capsules are routed from primary capsules.
    images: model input.
  """

  @jax.jit
  def apply(variables, images):
    return trained.experiment.model.apply(
      variables,
      images,
      capture_intermediates=lambda module, _: (
        module.name in ('cell', 'primary_capsules')
      ),
      mutable=['intermediates'],
    )

  output, variables = jax.device_get(apply(trained.variables, images))
  inside = variables['intermediates']
  primary = inside['primary_capsules']
  (features,), (inputs,) = primary['cell']['__call__'], primary['__call__']
  (couplings,) = inside['class_capsules']['couplings']
  return Inside(
    features.shape[1:3],
    inputs.astype(np.float32),
    couplings[-1].astype(np.float32),
    output.capsules,
    output.scores.argmax(-1),
  )
