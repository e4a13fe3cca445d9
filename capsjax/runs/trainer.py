"""Starts or resumes training, with checkpoints, metrics and progress."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax

from capsjax import console
from capsjax.data import Dataset
from capsjax.runs import configuration
from capsjax.runs.checkpoint import Checkpointer
from capsjax.runs.config import Config
from capsjax.runs.dataset_file import require_same_dataset, save_dataset_file
from capsjax.runs.diagnosis import diagnosis_line
from capsjax.runs.experiment import Experiment, check_before_reading
from capsjax.runs.folder import RunFolder
from capsjax.runs.monitor import Monitor
from capsjax.runs.restoring import best_metric, restore
from capsjax.runs.summary import closing_line, details, start_summary
from capsjax.runs.tracking import open_writers, require_tracking
from capsjax.runs.trained_run import parse_checkpoint
from capsjax.runs.transfer import find_source, transfer
from capsjax.runs.writers import Writers
from capsjax.training import (
  Devices,
  Plan,
  Progress,
  Reporter,
  Results,
  StopRequest,
  TrainState,
  fit,
)


def train_run(
  config: Config,
  workdir: Path,
  *,
  checkpoint_name: str = 'latest',
  dataset: Dataset | None = None,
  params: Any = None,
  stop: StopRequest | None = None,
) -> Results | None:
  """Trains for the configured number of epochs, or until interrupted.

  Args:
    config: the configuration.
    workdir: the folder of the run; an existing run is resumed.
    checkpoint_name: the checkpoint to resume from: 'latest', 'best', or the
      number of a step. Later steps are trained anew.
    dataset: the data set; read if None.
    params: parameters of another network. A new run starts from those that fit.
    stop: afterwards, tells which signal interrupted training, if any.

  Returns:
    The metrics on the test set, or None if interrupted.

  Raises:
    UserError: if the run cannot be started or resumed, or diverges.
  """
  started = time.monotonic()
  is_primary = jax.process_index() == 0
  say = console.say if is_primary else _be_silent
  tell = print if is_primary else _be_silent
  which, folder = parse_checkpoint(checkpoint_name), RunFolder(workdir)
  # Checked early, so that mistakes are reported before the data are read.
  configuration.require_continues(config, folder.config)
  require_tracking(config)
  Devices(limit=config.num_devices).share(config.batch_size)
  if dataset is None:
    check_before_reading(config)
  source = find_source(config, folder, params)
  experiment = Experiment.create(config, dataset)
  plan, template = create_plan(experiment), experiment.state_template()
  with folder.claimed() if is_primary else nullcontext():
    # Checked again: another process may have trained here in the meantime.
    configuration.require_continues(config, folder.config)
    require_same_dataset(experiment.dataset, folder)
    state, best, loaded = _restore_or_create(
      experiment, folder, template, which, source, tell
    )
    experiment.devices.require_same(int(state.step), 'checkpoints')
    experiment.devices.require_same(
      round(1e6 * (best or 0)), 'best checkpoints (accuracy in millionths)'
    )
    if is_primary:
      with folder.writes_told():
        configuration.save_config(config, folder.config)
        save_dataset_file(experiment.dataset, folder)
    if is_primary:
      console.say_detail(details(experiment))
    say(start_summary(experiment, plan, folder, state, loaded=loaded))
    stop = StopRequest() if stop is None else stop
    state, monitor = _train(experiment, plan, folder, state, best, stop)
  step = int(state.step)
  if not plan.is_over(step, monitor.best):
    tell(
      f'stopped after step {step:,} of {plan.num_steps:,}, all saved; to '
      f'resume: capsjax train --workdir {workdir}'
    )
    return None
  # A run that was already finished is evaluated again, but nothing is written.
  results = monitor.test or experiment.evaluate(
    experiment.devices.replicate(state.variables), experiment.dataset.test
  )
  minutes = (time.monotonic() - started) / 60
  diagnosis = diagnosis_line(experiment, monitor.diagnosis)
  if diagnosis:
    say(f'capsules   {diagnosis}')
  tell(closing_line(results, step / plan.steps_per_epoch, minutes))
  say(f'look further: capsjax evaluate --workdir {folder}')
  return results


def _train(
  experiment: Experiment,
  plan: Plan,
  folder: RunFolder,
  state: TrainState,
  best: float | None,
  stop: StopRequest,
) -> tuple[TrainState, Monitor]:
  """Trains from `state`, saving checkpoints and writing metrics."""
  config, devices = experiment.config, experiment.devices
  is_primary = jax.process_index() == 0
  with (
    Checkpointer(
      folder.checkpoints, keep_every=plan.checkpoint_every_steps
    ) as checkpointer,
    _open_writers(experiment, folder, state, is_primary) as writer,
    Progress(
      total_steps=plan.num_steps,
      initial_step=int(state.step),
      steps_per_epoch=plan.steps_per_epoch,
      batch_size=config.batch_size,
      enabled=is_primary and not console.is_quiet(),
    ) as progress,
    stop,
  ):
    monitor = Monitor(experiment, plan, best, writer=writer, progress=progress)

    def write(step, results, learning_rate):
      scalars = training_scalars(experiment, results, learning_rate, progress)
      writer.write_scalars(step, scalars)

    reporter = Reporter(
      initial_step=int(state.step),
      log_every_steps=config.log_every_steps,
      schedule=experiment.schedule,
      show=progress.update,
      write=write,
    )
    state = fit(
      devices.replicate(state),
      plan=plan,
      train_fn=experiment.train_fn(),
      data=experiment.data_of(experiment.dataset.train),
      order_key=experiment.keys.order,
      evaluate=monitor,
      best=best,
      checkpointer=checkpointer,
      reporter=reporter,
      is_stopped=lambda: bool(stop),
      agree=devices.agree,
    )
  return state, monitor


def training_scalars(
  experiment: Experiment,
  results: Results,
  learning_rate: float,
  progress: Progress,
) -> dict[str, float]:
  """Returns the metrics of some training steps by name."""
  return experiment.scalars('train', results) | {
    'train/learning_rate': learning_rate,
    'train/images_per_second': progress.images_per_second or 0.0,
  }


def create_plan(experiment: Experiment) -> Plan:
  """Returns the length of a run, and when it evaluates and saves."""
  config = experiment.config
  steps_per_epoch = experiment.steps_per_epoch
  eval_every_steps = max(1, round(config.eval_every_epochs * steps_per_epoch))
  # No call may cross the end of an epoch or an evaluation.
  most = min(steps_per_epoch, eval_every_steps)
  return Plan(
    num_steps=config.num_epochs * steps_per_epoch,
    steps_per_epoch=steps_per_epoch,
    steps_per_call=min(
      config.steps_per_call or experiment.devices.batches_per_call(most), most
    ),
    eval_every_steps=eval_every_steps,
    checkpoint_every_seconds=config.checkpoint_every_seconds,
    checkpoint_every_steps=config.keep_every_epochs * steps_per_epoch,
    stop_at=config.stop_at_accuracy or None,
  )


def _restore_or_create(experiment, folder, template, which, source, warn):
  """Returns the state to start from, the best score, and what was loaded."""
  restored = restore(folder.checkpoints, template, which=which, warn=warn)
  if restored is None:
    state = experiment.create_state()
    if source is None:
      return state, None, ''
    state, loaded = transfer(source, state, frozen=experiment.config.freeze)
    return state, None, loaded
  best = best_metric(
    folder.checkpoints, template, until=restored.step, warn=warn
  )
  return restored.state, best, ''


def _open_writers(experiment, folder, state, is_primary):
  if not is_primary:
    return Writers()
  return open_writers(
    folder,
    experiment.config,
    resume_step=int(state.step),
    steps_per_epoch=experiment.steps_per_epoch,
  )


def _be_silent(line: str) -> None:
  del line
