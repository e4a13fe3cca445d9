"""One network of an experiment: its settings and its training."""

import dataclasses
import shlex
from pathlib import Path

from capsjax.errors import UserError
from capsjax.runs import Config, RunFolder
from experiments import machine
from experiments.records import Record

# Overrides of every smoke run. They only show that everything works; the
# numbers mean nothing.
_SMOKE = (
  '--config.dataset=digits',
  '--config.num_epochs=1',
  '--config.stop_at_accuracy=0.0',
  '--config.batch_size=64',
  '--config.diagnostics=False',
)
# The official code's primary scale for 32 types of capsules.
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
    name: the name of the row in the table and of the runs' folder. Runs with
      the same name and group are the same run, shared between experiments.
    config: the configuration's name in the folder configs.
    overrides: overrides of the configuration, each `--config.FIELD=VALUE`.
    group: the folder shared by all runs on the same data.
    smoke: more overrides for the smoke size.
    other_tests: other data sets whose test sets it is also evaluated on.
    paper: the test error in percent that the paper reports, as printed there.
    published: the best published error of a comparable network, and its source.
    is_small: whether a run of the size cpu takes minutes rather than hours.
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
  """The size of an experiment that is run, and the folder it is run in.

  Attributes:
    size: 'smoke', 'cpu' or 'full'.
    overrides: overrides for all runs of this size, each
      `--config.FIELD=VALUE`.
    folder: the folder that holds all runs.
    data_dir: `config.data_dir` of all runs; '' for the user's cache.
  """

  size: str
  overrides: tuple[str, ...]
  folder: Path
  data_dir: str

  def workdir(self, run: Run, seed: int) -> Path:
    """Returns the folder of a run."""
    return self.folder / self.size / run.group / run.name / f'seed{seed}'

  def overrides_of(self, run: Run, seed: int) -> list[str]:
    """Returns all overrides of a run; those for all runs take precedence."""
    tiny = (*_SMOKE, *run.smoke) if self.size == 'smoke' else ()
    return [*run.overrides, *tiny, *self.overrides, f'--config.seed={seed}']

  def command(self, run: Run, seed: int) -> str:
    """Returns the command that trains a run, without the data folder."""
    program = ['python', '-m', 'capsjax.main']
    config = ['--config', f'configs/{run.config}.py']
    return shlex.join([*program, *config, *self.overrides_of(run, seed)])


def train_run(run: Run, seed: int, place: Place) -> Record | None:
  """Trains a run to its end, resuming where it stopped.

  Args:
    run: the run to train.
    seed: the seed.
    place: the size, and where the run is kept.

  Returns:
    The record; None if training was interrupted and saved.

  Raises:
    UserError: if the run cannot be trained.
  """
  from capsjax import runs

  config = config_of(run, seed, place)
  workdir = place.workdir(run, seed)
  if not is_trained(workdir, config) and (
    runs.train_run(config, workdir) is None
  ):
    return None
  return record_of(run, seed, place, config)


def config_of(run: Run, seed: int, place: Place) -> Config:
  """Loads the configuration of a run.

  Raises:
    UserError: if a field or a value is invalid.
  """
  from capsjax.runs import load_config

  words = place.overrides_of(run, seed)
  if place.data_dir:
    words.append(f'--config.data_dir={place.data_dir}')
  return load_config(Path(f'configs/{run.config}.py'), words)


def is_trained(workdir: Path, config: Config) -> bool:
  """Returns whether the folder holds this run, finished and saved.

  Raises:
    UserError: if the folder holds another run, or one trained for longer.
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
      f'{workdir} was trained for {last["epoch"]:g} epochs, not '
      f'{config.num_epochs}; choose another --runs-dir'
    )
  # A killed process may have written its last line but not its checkpoint.
  is_saved = last['step'] in available_steps(folder.checkpoints)['latest']
  return is_saved and last['epoch'] == config.num_epochs


def record_of(run: Run, seed: int, place: Place, config: Config) -> Record:
  """Creates the record of a run that was trained to its end.

  Args:
    run: the run that was trained.
    seed: the seed.
    place: the size, and where the run is kept.
    config: the configuration that it was trained with.

  Raises:
    UserError: if the run is missing.
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
