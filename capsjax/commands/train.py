"""The command `train`: starts or continues a run."""

import time
from pathlib import Path

import jax
from ml_collections import ConfigDict

from capsjax import configuration
from capsjax.commands.monitor import Monitor
from capsjax.errors import UserError
from capsjax.evaluation import Results
from capsjax.experiment import Experiment, count_parameters
from capsjax.training import checkpoint
from capsjax.training.loop import Plan, fit
from capsjax.training.progress import Progress
from capsjax.training.reporter import Reporter
from capsjax.training.signals import StopRequest
from capsjax.training.state import TrainState
from capsjax.training.writers import MetricsWriter, NullWriter

# Steps that an accelerator takes without the host.
_STEPS_PER_CALL = 100


def run(config: ConfigDict, workdir: Path) -> Results | None:
  """Trains to the end of the configuration, or until interrupted.

  Args:
    config: the configuration.
    workdir: the folder of the run, which is continued if there is one.

  Returns:
    The metrics on the test set, or None if interrupted.

  Raises:
    UserError: if the run cannot be started or continued, or diverges.
  """
  started = time.monotonic()
  is_primary = jax.process_index() == 0
  say = _say if is_primary else _be_silent
  configuration.require_continues(config, workdir)
  experiment = Experiment.create(config)
  plan = _plan(experiment)
  folder = workdir / 'checkpoints'
  state, best = _restore_or_create(experiment, folder, say)
  experiment.devices.require_same(int(state.step), 'checkpoints')
  if is_primary:
    _prepare(workdir, config)
  say(_summary(experiment, plan, workdir, state))

  with (
    checkpoint.Checkpointer(folder) as checkpointer,
    _create_writer(workdir, state, plan, is_primary) as writer,
    Progress(
      total_steps=plan.num_steps,
      initial_step=int(state.step),
      steps_per_epoch=plan.steps_per_epoch,
      batch_size=config.batch_size,
      enabled=is_primary,
    ) as progress,
    StopRequest() as stop,
  ):
    monitor = Monitor(experiment, writer=writer, progress=progress)

    def write(step, results, learning_rate):
      scalars = experiment.scalars('train', results)
      scalars['train/learning_rate'] = learning_rate
      scalars['train/images_per_second'] = progress.images_per_second or 0.0
      writer.write_scalars(step, scalars)

    reporter = Reporter(
      initial_step=int(state.step),
      log_every_steps=config.log_every_steps,
      schedule=experiment.schedule,
      show=progress.update,
      write=write,
    )
    state = fit(
      experiment.devices.replicate(state),
      plan=plan,
      train_fn=experiment.train_fn(single_step=plan.steps_per_call == 1),
      data=experiment.device_data(),
      order_key=experiment.keys.order,
      evaluate=monitor,
      best=best,
      checkpointer=checkpointer,
      reporter=reporter,
      is_stopped=lambda: bool(stop),
      any_process=experiment.devices.any_process,
    )
  step = int(state.step)
  if step < plan.num_steps:
    say(
      f'stopped after step {step:,} of {plan.num_steps:,}, all saved; to go '
      f'on: python -m capsjax.main --workdir {workdir}'
    )
    return None
  # A run that was finished before is measured again, but not written again.
  test = experiment.dataset.test
  results = monitor.test or monitor.measure(test, state.params)
  minutes = (time.monotonic() - started) / 60
  say(_closing(results, step / plan.steps_per_epoch, workdir, minutes))
  return results


def _plan(experiment: Experiment) -> Plan:
  config = experiment.config
  # Loops are slow in XLA's code for a CPU, where calls are cheap.
  default = 1 if experiment.devices.platform == 'cpu' else _STEPS_PER_CALL
  return Plan(
    num_steps=config.num_epochs * experiment.steps_per_epoch,
    steps_per_epoch=experiment.steps_per_epoch,
    steps_per_call=config.steps_per_call or default,
    eval_every_epochs=config.eval_every_epochs,
    checkpoint_every_seconds=config.checkpoint_every_seconds,
  )


def _restore_or_create(experiment, folder, say):
  """The state to start from, and the best score so far."""
  template = experiment.state_template()
  restored = checkpoint.restore(folder, template, warn=say)
  if restored is None:
    return experiment.create_state(), None
  return restored.state, checkpoint.best_metric(folder, template, warn=say)


def _prepare(workdir: Path, config: ConfigDict) -> None:
  try:
    workdir.mkdir(parents=True, exist_ok=True)
    configuration.save(config, workdir)
  except OSError as error:
    raise UserError(
      f'cannot write into {workdir} ({error.strerror}); choose another '
      '--workdir'
    ) from error


def _create_writer(workdir, state, plan, is_primary):
  if not is_primary:
    return NullWriter()
  return MetricsWriter(
    workdir,
    resume_step=int(state.step),
    steps_per_epoch=plan.steps_per_epoch,
  )


def _summary(
  experiment: Experiment, plan: Plan, workdir: Path, state: TrainState
) -> str:
  dataset, config = experiment.dataset, experiment.config
  sizes = [f'{len(dataset.train):,} training']
  if dataset.validation is not None:
    sizes.append(f'{len(dataset.validation):,} validation')
  sizes.append(f'{len(dataset.test):,} test')
  height, width, channels = dataset.image_shape
  step = int(state.step)
  start = f'continued after step {step:,}' if step else 'from the beginning'
  lines = {
    'devices': experiment.devices.description,
    'data': f'{dataset.name}: {" + ".join(sizes)} images, '
    f'{height}x{width}x{channels}, {dataset.num_classes} classes',
    'model': f'{config.model_name}, {count_parameters(state.params):,} '
    'parameters',
    'training': f'{config.num_epochs} epochs of {plan.steps_per_epoch} steps, '
    f'batch {config.batch_size}, {start}',
    'best': _selection(experiment),
    'run': f'{workdir} (tensorboard --logdir {workdir})',
  }
  return '\n'.join(f'{name:9} {text}' for name, text in lines.items())


def _selection(experiment: Experiment) -> str:
  if experiment.config.select_best_by == 'test':
    return 'chosen by the TEST set: its error is not a fair one'
  if experiment.dataset.validation is None:
    return 'not chosen; hold images out with --config.validation_size=5000'
  return 'chosen by the validation set'


def _closing(
  results: Results, epochs: float, workdir: Path, minutes: float
) -> str:
  return (
    f'test error {results.error:.2f}% (accuracy {100 * results.accuracy:.2f}% '
    f'of {results.count:,} images) after {epochs:g} epochs; {minutes:.1f} '
    'minutes\nlook further: python -m capsjax.main evaluate --workdir '
    f'{workdir}'
  )


def _say(line: str) -> None:
  print(line, flush=True)


def _be_silent(line: str) -> None:
  del line
