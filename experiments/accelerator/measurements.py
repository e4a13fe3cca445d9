"""Measurements on one device; every function returns a figure."""

import subprocess
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from capsjax.examples import Batch
from experiments import machine
from experiments.accelerator.figures import Figures
from experiments.benchmarks import epochs, limits, ours, parts, routing, steps
from experiments.benchmarks.case import Case
from experiments.benchmarks.timing import ratio, spread, take_turns

# The batch size when loss and gradient are computed on the CPU too.
_FEW_IMAGES = 32


def describe() -> dict[str, str]:
  """Describes hardware, driver and versions."""
  described = machine.describe(('jax', 'jaxlib', 'flax', 'torch'))
  query = ['nvidia-smi', '--query-gpu=name,driver_version', '--format=csv']
  try:
    done = subprocess.run(query, capture_output=True, text=True, check=True)
  except (OSError, subprocess.CalledProcessError):
    return described
  return described | {'nvidia-smi': ', '.join(done.stdout.splitlines()[1:])}


def rates(*, size: int, repeats: int) -> dict[str, dict[str, float]]:
  """Measures peak rates: GFLOP/s of matrix products, GB/s of a copy."""
  return limits.measure(repeats=repeats, size=size)


def training_steps(
  case: Case, measured_rates: Mapping[str, Any], contenders: list[str]
) -> list[dict[str, Any]]:
  """Times our training step and PyTorch's, in turns."""
  settings = parts.Settings(
    batch_sizes=[case.batch],
    dtypes=[case.dtype],
    repeats=case.repeats,
    patience=float('inf'),
    sizes=case.sizes,
    contenders=contenders,
    rates=measured_rates,
  )
  return list(parts.training(settings))


def epoch(case: Case, *, images: int) -> dict[str, Any]:
  """Times an epoch of a real run, shifts included, and its peak memory."""
  call = epochs.capsjax_epoch(case, images)
  times = take_turns({'': call}, repeats=case.repeats)['']
  # A CPU has no memory statistics.
  statistics = jax.devices()[0].memory_stats() or {}
  peak = statistics.get('peak_bytes_in_use', 0)
  return {
    'images': images,
    'seconds': spread(times),
    'peak_memory_gb': round(peak / 1e9, 2),
  }


def evaluation(case: Case, *, images: int) -> dict[str, Any]:
  """Times the evaluation of `images` images, until the error is known."""
  call = steps.capsjax_evaluation(case, images)
  times = take_turns({'': call}, repeats=case.repeats)['']
  return {'images': images, 'seconds': spread(times)}


def routing_alone(
  case: Case, *, in_caps: int, with_torch: bool
) -> list[dict[str, Any]]:
  """Times votes and routing, forward and with gradients, beside plain ones."""
  rows = []
  for backward in (False, True):
    calls = routing.calls(
      batch=case.batch,
      in_caps=in_caps,
      dtype=case.dtype,
      backward=backward,
      with_torch=with_torch,
    )
    seconds = take_turns(calls, repeats=case.repeats)
    rows += [
      {
        'backward': backward,
        'contender': name,
        'seconds': spread(times),
        'times_ours': ratio(seconds['capsjax'], times),
      }
      for name, times in seconds.items()
    ]
  return rows


def agreement(case: Case) -> dict[str, Any]:
  """Compares loss and gradient of one batch with the CPU's in float32.

  Returns:
    For each matmul precision of the device: the loss, the CPU's loss, and the
    largest relative error of a parameter's gradient.
  """
  experiment = ours.create_experiment(
    steps.overrides(case),
    num_images=max(_FEW_IMAGES, case.batch),
    image_shape=case.image_shape,
    num_classes=case.num_classes,
  )
  params = jax.device_get(jax.jit(experiment.create_state)().params)
  split = experiment.dataset.train
  images = split.images[:_FEW_IMAGES] / np.float32(255)
  targets = np.eye(case.num_classes, dtype=np.float32)
  batch = Batch(
    images,
    targets[split.labels[:_FEW_IMAGES]],
    np.ones(_FEW_IMAGES, np.float32),
  )

  def loss(params):
    output = experiment.model.apply(
      {'params': params}, jnp.asarray(batch.images), jnp.asarray(batch.targets)
    )
    return jnp.mean(experiment.objective(output, batch).total)

  def on(device, precision):
    with jax.default_device(device), jax.default_matmul_precision(precision):
      value, gradients = jax.jit(jax.value_and_grad(loss))(params)
      return float(value), jax.device_get(gradients)

  expected, wanted = on(jax.devices('cpu')[0], 'highest')
  found = {}
  for precision in ('highest', 'default'):
    value, gradients = on(jax.devices()[0], precision)
    errors = jax.tree.map(
      lambda a, b: float(np.linalg.norm(a - b) / np.linalg.norm(b)),
      gradients,
      wanted,
    )
    found[precision] = {
      'loss': value,
      'loss_on_cpu': expected,
      'largest_relative_error_of_a_gradient': max(jax.tree.leaves(errors)),
    }
  return found


def seconds_per_epoch(figures: Figures, images: int) -> float:
  """Estimates the seconds of an epoch of `images` images and its evaluation."""
  trained, evaluated = figures['epoch, float32'], figures['evaluation, float32']
  medians = [
    part['seconds']['median'] / part['images'] for part in (trained, evaluated)
  ]
  # MNIST's test set is a sixth of its training set.
  return images * (medians[0] + medians[1] / 6)
