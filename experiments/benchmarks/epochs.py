"""A whole epoch of each contender, starting from images in host memory."""

import os

import jax
import numpy as np

from experiments.benchmarks import ours, steps
from experiments.benchmarks.case import Case
from experiments.benchmarks.steps import Step

_MOST_WORKERS = 4


def capsjax_epoch(case: Case, count: int) -> Step:
  """Ours: the set is on the device beforehand, and batches are made there."""
  experiment = ours.create_experiment(steps.overrides(case), num_images=count)
  step = ours.TrainStep(experiment, steps_per_call=steps.steps_per_call())
  whole, rest = divmod(experiment.steps_per_epoch, steps.steps_per_call())
  calls = [steps.steps_per_call()] * whole + [rest] * (rest > 0)

  def call():
    # Returns the metrics of every call, which the timer waits for at the end.
    return [step(number) for number in calls]

  return call


def torch_epoch(case: Case, count: int, *, compiled: bool) -> Step:
  """PyTorch: a DataLoader shuffles and shifts; batches go to the device."""
  import torch

  from experiments.benchmarks import torch_peer

  network, images, targets = steps.torch_network(case)
  step = torch_peer.TrainStep(network, compiled=compiled, dtype=case.dtype)
  classes = targets.shape[1]
  rng = np.random.default_rng(0)
  loader = torch_peer.create_loader(
    rng.integers(0, 256, (count, *case.image_shape), np.uint8),
    rng.integers(0, classes, count),
    batch_size=case.batch,
    workers=min(_MOST_WORKERS, os.cpu_count() or 1),
  )

  def call():
    for batch, labels in loader:
      labels = torch.nn.functional.one_hot(labels, classes)
      loss = step(
        batch.to(images.device, non_blocking=True),
        labels.to(targets, non_blocking=True),
      )
    return loss.item()

  return call


def images_per_epoch(case: Case) -> int:
  """MNIST's number, or on a CPU what takes a few seconds."""
  return 8 * case.batch if jax.default_backend() == 'cpu' else 60_000
