"""The command `report`: a run, or several compared, in one HTML file."""

from collections.abc import Mapping
from pathlib import Path

from ml_collections import ConfigDict

from capsjax.gallery.comparison import comparison
from capsjax.gallery.description import description
from capsjax.runs.files import write_text
from capsjax.runs.trained import Trained
from capsjax.visualization import report_page

FILE_NAME = 'report.html'
COMPARISON_NAME = 'comparison.html'


def run(
  configs: Mapping[Path, ConfigDict], *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `report.html`, or of several runs `comparison.html`.

  Args:
    configs: the configuration of each run by its folder; several are compared.
    checkpoint_name: 'latest', 'best', or the number of a step, of a single run.
    output: the folder that is written to.

  Returns:
    The file.

  Raises:
    UserError: if there is no such run or checkpoint.
  """
  workdir = next(iter(configs))
  if len(configs) > 1:
    title = f'{len(configs)} runs compared'
    subtitle = ', '.join(map(str, configs))
    sections = comparison(configs)
    path = output / COMPARISON_NAME
  else:
    trained = Trained.open(
      configs[workdir], workdir, checkpoint_name=checkpoint_name
    )
    title = f'{trained.experiment.dataset.name}: {workdir.name}'
    subtitle = f'checkpoint of step {trained.step:,}'
    sections = description(trained)
    path = output / FILE_NAME
  page = report_page(title, subtitle, sections)
  write_text(path, page)
  print(f'written to {path} ({len(page) / 1e6:.1f} MB); open it in a browser')
  return path
