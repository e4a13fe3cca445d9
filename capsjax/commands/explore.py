"""The command `explore`: a page in which the trained network runs."""

from pathlib import Path

from ml_collections import ConfigDict

from capsjax.commands.pictures import require_decoder
from capsjax.commands.trained import Trained
from capsjax.visualization import explorer_page

FILE_NAME = 'explorer.html'
# Test images to choose from.
_NUM_IMAGES = 200


def run(config: ConfigDict, workdir: Path, *, checkpoint_name: str) -> Path:
  """Writes `explorer.html`, which any browser opens.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.

  Returns:
    The file.

  Raises:
    UserError: if there is no such run or checkpoint, or no decoder.
  """
  trained = Trained.open(config, workdir, checkpoint_name=checkpoint_name)
  require_decoder(trained)
  dataset, model = trained.experiment.dataset, trained.experiment.model
  page = explorer_page(
    trained.params,
    title=f'Capsules of {dataset.name}',
    footer=f'{workdir.name}, step {trained.step:,}; made by capsjax',
    test_images=dataset.test.images[:_NUM_IMAGES],
    test_labels=dataset.test.labels[:_NUM_IMAGES],
    class_names=[str(label) for label in range(dataset.num_classes)],
    num_iterations=model.num_iterations,
    leaky=model.leaky,
    padding=model.padding,
    primary_strides=model.primary_strides,
    primary_scale=model.primary_scale,
    perturbation_range=config.pictures.perturbation_range,
  )
  path = workdir / FILE_NAME
  path.write_text(page, encoding='utf-8')
  print(f'written to {path} ({len(page) / 1e6:.0f} MB); open it in a browser')
  return path
