"""Several seeds of one run, trained at the same time on one device.

A small network leaves most of a large GPU idle. Here one call takes the
training steps of all seeds. They share the data and nothing else: each seed has
its own random draws and its own folder, and writes and saves what it would if
trained alone, up to rounding. A run can start in one way and resume in the
other.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import ExitStack

import jax

from capsjax.errors import UserError
from capsjax.examples import DeviceData
from capsjax.runs import (
  Config,
  Experiment,
  RunFolder,
  best_metric,
  create_plan,
  require_continues,
  require_same_dataset,
  restore,
  save_config,
  save_dataset_file,
  start_summary,
)
from capsjax.training import Progress, RunKeys, StopRequest, fit
from experiments.ensemble import require_same_test
from experiments.records import Record
from experiments.runs import Place, Run, config_of, is_trained, record_of
from experiments.seed_members import Members, Start, open_member
from experiments.stacked_steps import (
  create_train_fn,
  stack_keys,
  stack_states,
)


def train_at_once(
  run: Run, seeds: Sequence[int], place: Place
) -> list[Record] | None:
  """Trains seeds of a run together to their end, resuming where they stopped.

  Args:
    run: the run to train.
    seeds: its seeds, all of which have taken the same number of steps.
    place: the size, and where the runs are kept.

  Returns:
    The record of each seed, as from `experiments.runs.train_run`, whose minutes
    are its share of the total; None if training was interrupted and saved.

  Raises:
    UserError: if the seeds cannot be trained, or not together.
  """
  configs = {seed: config_of(run, seed, place) for seed in seeds}
  trained = [is_trained(place.workdir(run, s), c) for s, c in configs.items()]
  if not all(trained) and not _train_all(run, configs, place):
    return None
  return [record_of(run, s, place, config) for s, config in configs.items()]


def _train_all(run: Run, configs: Mapping[int, Config], place: Place) -> bool:
  """Trains all seeds; returns whether they reached the end."""
  seeds = list(configs)
  experiment = _create_experiment(configs[seeds[0]])
  folders = {seed: RunFolder(place.workdir(run, seed)) for seed in seeds}
  with ExitStack() as stack:
    for seed, folder in folders.items():
      stack.enter_context(folder.claimed())
      # Another process may have trained here while the data were read.
      require_continues(configs[seed], folder.config, option='--runs-dir')
      require_same_dataset(experiment.dataset, folder)
    starts = [_start(experiment, seed, f) for seed, f in folders.items()]
    steps = {start.seed: start.step for start in starts}
    if len(set(steps.values())) > 1:
      found = ', '.join(f'seed {s} at {step}' for s, step in steps.items())
      raise UserError(
        f'the seeds are not at the same step ({found}); finish them without '
        '--at-once'
      )
    for start in starts:
      save_config(configs[start.seed], start.folder.config)
      save_dataset_file(experiment.dataset, start.folder)
    return _train(experiment, starts)


def _create_experiment(config: Config) -> Experiment:
  """Creates what the seeds share, on one device: everything but the keys."""
  config = dataclasses.replace(config, num_devices=1)
  require_same_test(config)
  experiment = Experiment.create(config)
  fields = ('train_size', 'validation_size', 'stop_at_accuracy')
  own = [
    f'{name}={value}' for name in fields if (value := getattr(config, name))
  ]
  if config.stream_images:
    raise UserError(
      '--at-once keeps the images on the device; leave out --at-once or '
      'stream_images'
    )
  if config.init_from:
    raise UserError(
      '--at-once starts from random values; leave out --at-once or init_from'
    )
  if own:
    raise UserError(
      f'the seeds would differ in their images or length: {", ".join(own)}; '
      'change that, or train them without --at-once'
    )
  return experiment


def _start(experiment: Experiment, seed: int, folder: RunFolder) -> Start:
  template = experiment.state_template()
  restored = restore(folder.checkpoints, template, warn=print)
  if restored is not None:
    best = best_metric(
      folder.checkpoints, template, until=restored.step, warn=print
    )
    return Start(seed, folder, restored.state, best)
  experiment = dataclasses.replace(experiment, keys=RunKeys.create(seed))
  state = jax.device_get(experiment.create_state())
  return Start(seed, folder, state, None)


def _train(experiment: Experiment, starts: Sequence[Start]) -> bool:
  """Trains from the given states; returns whether they reached the end."""
  plan = create_plan(experiment)
  first = starts[0]
  print(
    start_summary(
      experiment, plan, RunFolder(first.folder.path.parent), first.state
    )
  )
  keys = stack_keys([start.seed for start in starts])
  with ExitStack() as stack:
    progress = stack.enter_context(
      Progress(
        total_steps=plan.num_steps,
        initial_step=first.step,
        steps_per_epoch=plan.steps_per_epoch,
        batch_size=experiment.config.batch_size * len(starts),
      )
    )
    members = Members(
      [
        open_member(experiment, start, progress, stack, is_shown=start is first)
        for start in starts
      ],
      say=progress.write,
    )
    stop = stack.enter_context(StopRequest())
    state = fit(
      stack_states([start.state for start in starts]),
      plan=plan,
      train_fn=create_train_fn(experiment, keys),
      data=_data_on_device(experiment),
      order_key=keys.order,
      evaluate=members.evaluate,
      best=None,
      checkpointer=members,
      reporter=members,
      is_stopped=lambda: bool(stop),
      agree=experiment.devices.agree,
    )
  return int(state.step) >= plan.num_steps


def _data_on_device(experiment: Experiment) -> DeviceData:
  """Returns the training split on the device, but not on a mesh.

  JAX 0.7.2 cannot vmap gradients of convolutions over arrays that were on a
  mesh, even of one device, as those of `experiment.data_of` are.
  """
  split = experiment.dataset.train
  data = DeviceData(split.images, split.labels)
  return jax.device_put(experiment.examples.arrange(data))
