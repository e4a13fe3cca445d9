"""The command `explore`: an HTML page in which the trained network runs."""

from pathlib import Path

import numpy as np

from capsjax import console
from capsjax.commands.pictures import require_decoder, require_single_objects
from capsjax.errors import UserError, require_extra
from capsjax.files import write_file
from capsjax.runs.config import CapsNetConfig, Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import explorer_page

# The number of test images to choose from.
_NUM_IMAGES = 200


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `explorer.html`, a page for any browser.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.

  Returns:
    The path of the page.

  Raises:
    UserError: if there is no such run or checkpoint, or the network lacks a
      decoder or uses something that the page does not support.
  """
  require_extra('pages')
  trained = TrainedRun.open(
    workdir, config=config, checkpoint_name=checkpoint_name
  )
  require_decoder(trained)
  require_single_objects(trained)
  experiment, dataset = trained.experiment, trained.experiment.dataset
  model, shown = config.model, np.arange(min(_NUM_IMAGES, len(dataset.test)))
  if not isinstance(model, CapsNetConfig):
    raise UserError(
      f'{workdir} has a network that the page cannot run: only '
      f'model_name=capsnet, not {config.model_name}; use reconstruct and '
      'perturb instead'
    )
  conv_strides, primary_strides = experiment.model.strides(
    experiment.image_shape
  )
  if conv_strides != (1, 1) or config.images.standardize:
    raise UserError(
      f'{workdir} has a network that the page cannot run: it supports neither '
      'standardised images nor strides of the first convolution '
      '(model.max_primary_capsules); train without them in a new --workdir'
    )
  images = np.rint(255 * trained.inference.examples(shown).images)
  page = explorer_page(
    trained.params,
    title=f'Capsules of {dataset.name}',
    footer=f'{workdir.name}, step {trained.step:,}; made by capsjax',
    test_images=images.astype(np.uint8),
    test_labels=dataset.test.labels[shown],
    class_names=dataset.class_names,
    num_iterations=model.routing.num_iterations,
    leaky=model.routing.leaky,
    padding=model.padding,
    primary_strides=primary_strides,
    primary_scale=model.primary_scale,
    perturbation_range=config.pictures.perturbation_range,
  )
  path = RunFolder(output).explorer
  write_file(path, page)
  console.say(
    f'written to {path} ({len(page) / 1e6:.0f} MB); open it in a browser'
  )
  return path
