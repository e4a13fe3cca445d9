"""The training step of each contender, all on the same network."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.benchmarks import naive, ours
from experiments.benchmarks.case import Case

# Takes `steps_per_call` steps and returns the last loss.
Step = Callable[[], Any]


def steps_per_call() -> int:
  """Returns the steps per call of a real run.

  One on a CPU; many on an accelerator, which would otherwise wait for the host.
  """
  return 1 if jax.default_backend() == 'cpu' else 117


def overrides(case: Case) -> list[str]:
  """Returns the case as overrides of configs/mnist.py."""
  return [
    f'--config.batch_size={case.batch}',
    f'--config.model.dtype={case.dtype}',
    f'--config.num_devices={case.num_devices}',
    # The others have no warm-up.
    '--config.optimizer.warmup_steps=0',
    *(f'--config.model.{name}={value}' for name, value in case.sizes.items()),
  ]


def capsjax_step(case: Case) -> Step:
  """Ours: batches gathered and shifted on the device."""
  experiment = ours.create_experiment(
    overrides(case),
    num_images=case.batch * max(4, steps_per_call()),
    image_shape=case.image_shape,
    num_classes=case.num_classes,
  )
  step = ours.TrainStep(experiment, steps_per_call=steps_per_call())

  def call():
    metrics = step()
    return metrics.loss / metrics.count

  return call


def naive_step(case: Case) -> Step:
  """Plain JAX: one batch, shifted beforehand, in float32 only."""
  return naive_step_on(case, *random_batch(case))


def naive_step_on(case: Case, images: np.ndarray, targets: np.ndarray) -> Step:
  """Plain JAX on a given batch, from the same initial parameters as ours."""
  params = initial_params(case)
  optimizer = optax.adam(1e-3)

  @jax.jit
  def step(params, opt_state):
    loss, gradients = jax.value_and_grad(naive.loss)(params, images, targets)
    updates, opt_state = optimizer.update(gradients, opt_state)
    return optax.apply_updates(params, updates), opt_state, loss

  carry = [params, optimizer.init(params)]

  def call():
    for _ in range(steps_per_call()):
      *carry[:], loss = step(*carry)
    return loss

  return call


def torch_step(case: Case, *, compiled: bool, as_graph: bool = False) -> Step:
  """PyTorch: one batch, shifted beforehand."""
  from experiments.benchmarks import torch_peer

  network, x, y = torch_network(case)
  step = torch_peer.TrainStep(
    network, compiled=compiled, dtype=case.dtype, as_graph=as_graph
  )

  def call():
    for _ in range(steps_per_call()):
      loss = step(x, y)
    return loss.item()

  return call


def torch_network(case: Case) -> Any:
  """Returns the PyTorch network, images and targets, on JAX's device."""
  import torch

  from experiments.benchmarks import torch_peer

  images, targets = random_batch(case)
  device = 'cpu' if jax.default_backend() == 'cpu' else 'cuda'
  # TF32, as JAX uses for float32 on a GPU.
  torch.set_float32_matmul_precision('high')
  torch.backends.cudnn.allow_tf32 = True
  torch.backends.cudnn.benchmark = True
  network = torch_peer.CapsNet(
    image_shape=case.image_shape, num_classes=case.num_classes, **case.sizes
  )
  torch_peer.load_params(network, initial_params(case))
  network = network.to(device, memory_format=torch.channels_last)
  x = torch.from_numpy(images).permute(0, 3, 1, 2).to(device)
  return network, x, torch.from_numpy(targets).to(device)


def capsjax_evaluation(case: Case, count: int) -> Step:
  """Ours: `count` test images, from host memory to the error."""
  return ours.Evaluation(
    ours.create_experiment(overrides(case), num_images=count)
  )


def torch_evaluation(case: Case, count: int) -> Step:
  """PyTorch: the loss of one batch, repeated for `count` images in total."""
  import torch

  network, x, y = torch_network(case)

  def call():
    with torch.inference_mode():
      losses = [network(x, y) for _ in range(count // case.batch)]
      return sum(losses).item()

  return call


CONTENDERS: dict[str, Callable[[Case], Step]] = {
  'capsjax': capsjax_step,
  'plain JAX': naive_step,
  'PyTorch': functools.partial(torch_step, compiled=False),
  'PyTorch, compiled': functools.partial(torch_step, compiled=True),
  # Only on a GPU.
  'PyTorch, compiled, CUDA graph': functools.partial(
    torch_step, compiled=True, as_graph=True
  ),
}


def random_batch(case: Case) -> tuple[np.ndarray, np.ndarray]:
  """Returns random images in [0, 1] and one-hot targets."""
  rng = np.random.default_rng(0)
  images = rng.random((case.batch, *case.image_shape), np.float32)
  labels = rng.integers(0, case.num_classes, case.batch)
  return images, np.eye(case.num_classes, dtype=np.float32)[labels]


def initial_params(case: Case) -> Any:
  """Returns the initial parameters of ours."""
  experiment = ours.create_experiment(
    overrides(case),
    num_images=case.batch,
    image_shape=case.image_shape,
    num_classes=case.num_classes,
  )
  return jax.tree.map(jnp.asarray, jax.jit(experiment.create_state)().params)
