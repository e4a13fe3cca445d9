"""The command `reconstruct`: test images above their reconstructions."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int
from ml_collections import ConfigDict

from capsjax.gallery import overlaps as overlap
from capsjax.gallery.choice import first_right_and_wrong
from capsjax.gallery.pictures import require_decoder, save_figure
from capsjax.runs.trained import Trained
from capsjax.visualization import reconstruction_figure

if TYPE_CHECKING:
  import matplotlib.figure


def run(
  config: ConfigDict, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `pictures/reconstructions.png`.

  It shows the first test images that are predicted right, and the first that
  are predicted wrong, up to `config.pictures.num_images` of each. Where images
  show two objects, both reconstructions are overlaid in two colours.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder that is written to.

  Returns:
    The file.

  Raises:
    UserError: if there is no such run or checkpoint, or no decoder.
  """
  trained = Trained.open(config, workdir, checkpoint_name=checkpoint_name)
  require_decoder(trained)
  chosen = first_right_and_wrong(trained, config.pictures.num_images)
  several = trained.experiment.examples.num_objects > 1
  figure = (overlap.draw if several else draw)(trained, chosen)
  return save_figure(figure, output, 'reconstructions.png')


def draw(
  trained: Trained, positions: Int[np.ndarray, ' n']
) -> 'matplotlib.figure.Figure':
  """Draws test images above their reconstructions.

  Args:
    trained: the run.
    positions: of the images in the test set.
  """
  dataset, params = trained.experiment.dataset, trained.params
  labels, inference = dataset.test.labels[positions], trained.inference
  output = inference.apply(params, positions)
  predictions = output.scores.argmax(-1)
  return reconstruction_figure(
    inference.examples(positions).images,
    labels,
    predictions,
    by_prediction=inference.decode(params, output.capsules, predictions),
    by_label=inference.decode(params, output.capsules, labels),
    class_names=dataset.class_names,
  )
