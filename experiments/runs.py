"""One network of an experiment: what it is, and how it comes to be trained."""

import dataclasses
import shlex
from pathlib import Path

from capsjax.errors import UserError
from capsjax.runs import Config, RunFolder
from experiments import machine
from experiments.records import Record

# What every run of the smoke size is: it shows that everything works, and its
# numbers mean nothing.
_SMOKE = (
  '--config.dataset=digits',
  '--config.num_epochs=1',
  '--config.stop_at_accuracy=0.0',
  '--config.batch_size=64',
  '--config.diagnostics=False',
)
# The official code's scale of 32 types of primary capsules.
SMALL_STEPS = '--config.model.primary_scale=0.03125'
TINY_CAPSNET = (
  '--config.model.conv_features=8',
  '--config.model.num_types=2',
)
TINY_BASELINE = (
  '--config.model.conv_features=(4,)',
  '--config.model.conv_kernel_sizes=(3,)',
  '--config.model.dense_sizes=(8,)',
)


@dataclasses.dataclass(frozen=True)
class Run:
  """One network to train, once for each seed.

  Attributes:
    name: what a row of the table calls it, and the folder of its runs. In one
      group, runs of the same name are the same, whatever experiment wants them.
    config: the configuration's name in the folder configs.
    overrides: `--config.FIELD=VALUE` each.
    group: what its runs lie together with: those of the same data.
    smoke: more overrides in the smoke size.
    other_tests: data sets whose tests it is measured on as well.
    paper: the test error in percent that the paper reports, as printed there.
    published: the best published one of a comparable network, and whose it is.
    is_small: whether a run of the size cpu takes minutes, not hours.
  """

  name: str
  config: str
  overrides: tuple[str, ...] = ()
  group: str = 'mnist'
  smoke: tuple[str, ...] = TINY_CAPSNET
  other_tests: tuple[str, ...] = ()
  paper: str = ''
  published: str = ''
  is_small: bool = True


@dataclasses.dataclass(frozen=True)
class Place:
  """Which of an experiment's sizes is run, and where.

  Attributes:
    size: 'smoke', 'cpu' or 'full'.
    overrides: `--config.FIELD=VALUE` each, of all runs of this size.
    folder: all runs lie below it.
    data_dir: `config.data_dir` of all runs; '' for the user's cache.
  """

  size: str
  overrides: tuple[str, ...]
  folder: Path
  data_dir: str

  def workdir(self, run: Run, seed: int) -> Path:
    """The folder of a run."""
    return self.folder / self.size / run.group / run.name / f'seed{seed}'

  def overrides_of(self, run: Run, seed: int) -> list[str]:
    """All fields that a run sets; those of all runs have the last word."""
    tiny = (*_SMOKE, *run.smoke) if self.size == 'smoke' else ()
    return [*run.overrides, *tiny, *self.overrides, f'--config.seed={seed}']

  def command(self, run: Run, seed: int) -> str:
    """What trains a run, but for the folder of the data."""
    program = ['python', '-m', 'capsjax.main']
    config = ['--config', f'configs/{run.config}.py']
    return shlex.join([*program, *config, *self.overrides_of(run, seed)])


def train_run(run: Run, seed: int, place: Place) -> Record | None:
  """Trains a run to its end, from where it is.

  Args:
    run: what is trained.
    seed: its seed.
    place: which size, and where.

  Returns:
    What came of it; None if it was interrupted, and all is saved.

  Raises:
    UserError: if it cannot be trained.
  """
  from capsjax.runs import train

  config = config_of(run, seed, place)
  workdir = place.workdir(run, seed)
  if not is_trained(workdir, config) and (train(config, workdir) is None):
    return None
  return record_of(run, seed, place, config)


def config_of(run: Run, seed: int, place: Place) -> Config:
  """The configuration of a run.

  Raises:
    UserError: if a field or a value of it makes no sense.
  """
  from capsjax.runs import load_config

  words = place.overrides_of(run, seed)
  if place.data_dir:
    words.append(f'--config.data_dir={place.data_dir}')
  return load_config(Path(f'configs/{run.config}.py'), words)


def is_trained(workdir: Path, config: Config) -> bool:
  """Whether a run is there that was evaluated and saved at its end.

  Raises:
    UserError: if another one is there, or it was trained for longer.
  """
  from capsjax.runs import (
    available_steps,
    read_course,
    require_continues,
  )

  folder = RunFolder(workdir)
  require_continues(config, folder.config, option='--runs-dir')
  try:
    course = read_course(folder)
  except UserError:  # Nothing is written yet.
    return False
  evaluated = [line for line in course if 'test/accuracy' in line]
  if not evaluated:
    return False
  last = evaluated[-1]
  if last['epoch'] > config.num_epochs:
    raise UserError(
      f'{workdir} is trained for {last["epoch"]:g} epochs, not '
      f'{config.num_epochs}; choose another --runs-dir'
    )
  # A process that is killed may have written its last line and not its state.
  is_saved = last['step'] in available_steps(folder.checkpoints)['latest']
  return is_saved and last['epoch'] == config.num_epochs


def record_of(run: Run, seed: int, place: Place, config: Config) -> Record:
  """What came of a run that was trained to its end.

  Args:
    run: what was trained.
    seed: its seed.
    place: which size, and where.
    config: the configuration that it was trained with.

  Raises:
    UserError: if there is nothing of it.
  """
  from capsjax.runs import (
    curve,
    error_curve,
    read_course,
    training_seconds,
  )

  workdir = place.workdir(run, seed)
  course = read_course(RunFolder(workdir))
  epochs, percent = error_curve(course)
  errors = {
    f'{epoch:g}': round(error, 4)
    for epoch, error in zip(epochs, percent, strict=True)
  }
  evaluations = curve(course, 'test/seconds').values.sum()
  seconds = training_seconds(course, config.batch_size) + evaluations
  return Record(
    run=run.name,
    size=place.size,
    seed=seed,
    command=place.command(run, seed),
    epochs=float(epochs[-1]),
    test_error_percent=errors,
    other_tests={},
    minutes=round(seconds / 60, 1),
    **machine.describe(('jax', 'flax')),
  )
