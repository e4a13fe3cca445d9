"""The command `report`: one run, or a comparison of several, as HTML."""

from collections.abc import Mapping
from pathlib import Path

from capsjax import console
from capsjax.errors import require_extra
from capsjax.files import write_file
from capsjax.gallery.comparison import compare_runs
from capsjax.gallery.description import describe_run
from capsjax.runs.config import Config
from capsjax.runs.folder import RunFolder
from capsjax.runs.trained_run import TrainedRun
from capsjax.visualization import report_page


def run(
  configs: Mapping[Path, Config], *, checkpoint_name: str, output: Path
) -> Path:
  """Writes `report.html`, or `comparison.html` for several runs.

  Args:
    configs: the configuration of each run, keyed by its folder.
    checkpoint_name: 'latest', 'best', or the number of a step; for a single
      run only.
    output: the folder to write to.

  Returns:
    The path of the page.

  Raises:
    UserError: if there is no such run or checkpoint.
  """
  require_extra('pages')
  workdir = next(iter(configs))
  if len(configs) > 1:
    title = f'{len(configs)} runs compared'
    subtitle = ', '.join(map(str, configs))
    sections = compare_runs(configs)
    path = RunFolder(output).comparison
  else:
    trained = TrainedRun.open(
      workdir, config=configs[workdir], checkpoint_name=checkpoint_name
    )
    title = f'{trained.experiment.dataset.name}: {workdir.name}'
    subtitle = f'checkpoint of step {trained.step:,}'
    sections = describe_run(trained)
    path = RunFolder(output).report
  page = report_page(title, subtitle, sections)
  write_file(path, page)
  console.say(
    f'written to {path} ({len(page) / 1e6:.1f} MB); open it in a browser'
  )
  return path
