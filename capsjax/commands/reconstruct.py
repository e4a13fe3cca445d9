"""The command `reconstruct`: test images above their reconstructions."""

from pathlib import Path

from capsjax.commands.pictures import require_decoder, save_figure
from capsjax.errors import require_extra
from capsjax.gallery import overlaps, reconstructions
from capsjax.gallery.choice import first_right_and_wrong
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun


def run(
  config: Config, workdir: Path, *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `pictures/reconstructions.png`.

  It shows the first test images that are classified correctly and the first
  that are not, up to `config.pictures.num_images` of each. For images of two
  objects, the two reconstructions are overlaid in two colours.

  Args:
    config: the configuration.
    workdir: the folder of the run.
    checkpoint_name: 'latest', 'best', or the number of a step.
    output: the folder to write to.

  Returns:
    The path of the picture.

  Raises:
    UserError: if there is no such run or checkpoint, or the network has no
      decoder.
  """
  require_extra('pages')
  trained = TrainedRun.open(
    workdir, config=config, checkpoint_name=checkpoint_name
  )
  require_decoder(trained)
  chosen = first_right_and_wrong(trained, config.pictures.num_images)
  several = trained.experiment.examples.num_objects > 1
  figure = (overlaps if several else reconstructions).draw(trained, chosen)
  return save_figure(figure, RunFolder(output).picture('reconstructions'))
