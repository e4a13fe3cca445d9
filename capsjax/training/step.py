"""Training steps as pure functions of one device."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int32, Key

from capsjax.examples import Batch, DeviceData, MakeBatch
from capsjax.training.metrics import Metrics
from capsjax.training.objective import Objective
from capsjax.training.state import TrainState


@runtime_checkable
class TrainStep(Protocol):
  """Takes one step; `create_train_step` makes one."""

  def __call__(
    self, state: TrainState, batch: Batch, *, axis_name: str | None = None
  ) -> tuple[TrainState, Metrics]:
    """Takes one step on the examples of one device.

    Args:
      state: before the step.
      batch: the examples.
      axis_name: of the devices over which gradients are averaged and metrics
        summed; None for one device.

    Returns:
      The state after the step, and the metrics before it.
    """


@runtime_checkable
class Steps(Protocol):
  """Takes steps of an epoch; `create_steps` makes one."""

  def __call__(
    self,
    state: TrainState,
    data: DeviceData,
    permutation: Int32[Array, ' size'],
    device: int | Int32[Array, ''],
    num_steps: int,
  ) -> tuple[TrainState, Metrics]:
    """Takes the next steps on the share of one device.

    Args:
      state: where to start from.
      data: the training set.
      permutation: the order of its examples in this epoch.
      device: the number of this device.
      num_steps: how many steps, within the epoch; static.

    Returns:
      The last state, and the metrics of all steps.
    """


def create_train_step(
  apply_fn: Callable[..., Any],
  objective: Objective,
  optimizer: optax.GradientTransformation,
  *,
  dropout_key: Key[Array, ''],
  num_labels: int,
) -> TrainStep:
  """Makes the training step.

  Args:
    apply_fn: a model's `apply`.
    objective: the losses, whose mean over all examples is minimised.
    optimizer: the optimiser.
    dropout_key: the run's key for dropout.
    num_labels: how many classes an example has.

  Returns:
    `train_step(state, batch, *, axis_name=None)`, which returns the next state
    and the metrics of the batch before the update. If the axis of the devices
    is named, gradients are averaged and metrics summed over it, so that every
    device returns the same; only what dropout drops depends on how many
    devices there are.
  """

  def train_step(state, batch, *, axis_name=None):
    key = jax.random.fold_in(dropout_key, state.step)
    if axis_name:
      key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))

    def loss_fn(params):
      output = apply_fn(
        {'params': params},
        batch.images,
        batch.targets if batch.objects is None else batch.objects.targets,
        train=True,
        rngs={'dropout': key},
      )
      losses = objective(output, batch)
      metrics = Metrics.of(output, batch, losses, num_labels=num_labels)
      return jnp.mean(losses.total), metrics

    gradients, metrics = jax.grad(loss_fn, has_aux=True)(state.params)
    if axis_name:
      gradients = jax.lax.pmean(gradients, axis_name)
      metrics = jax.lax.psum(metrics, axis_name)
    updates, opt_state = optimizer.update(
      gradients, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, updates)
    return TrainState(state.step + 1, params, opt_state), metrics

  return train_step


def gradient_norms(
  params: Any,
  batch: Batch,
  *,
  apply_fn: Callable[..., Any],
  objective: Objective,
) -> dict[str, Float[Array, '']]:
  """The norm of the mean loss's gradient in each part of a model.

  Args:
    params: the model's parameters.
    batch: some examples.
    apply_fn: the model's `apply`; nothing is dropped.
    objective: the losses.

  Returns:
    Norms by the names of the parts, the first level of `params`.
  """

  def loss_fn(params):
    output = apply_fn(
      {'params': params},
      batch.images,
      batch.targets if batch.objects is None else batch.objects.targets,
    )
    return jnp.mean(objective(output, batch).total)

  gradients = jax.grad(loss_fn)(params)
  return {name: optax.tree.norm(part) for name, part in gradients.items()}


def create_steps(
  train_step: TrainStep,
  make_batch: MakeBatch,
  *,
  batch_size: int,
  share: int,
  steps_per_epoch: int,
  num_classes: int,
  axis_name: str,
) -> Steps:
  """Makes the function that trains one device through a part of an epoch.

  Args:
    train_step: takes one step.
    make_batch: makes the batch of a step.
    batch_size: of all devices together.
    share: examples of a batch that each device takes.
    steps_per_epoch: the number of steps of an epoch.
    num_classes: the number of classes.
    axis_name: of the devices.

  Returns:
    The function.
  """

  def steps(state, data, permutation, device, num_steps):
    positions = device * share + jnp.arange(share, dtype=jnp.int32)

    def one_step(state):
      start = (state.step % steps_per_epoch) * batch_size + device * share
      indices = jax.lax.dynamic_slice(permutation, (start,), (share,))
      batch = make_batch(data, indices, state.step, positions)
      return train_step(state, batch, axis_name=axis_name)

    # XLA's code for a CPU is slower inside a loop.
    if num_steps == 1:
      return one_step(state)

    def body(_, carry):
      state, metrics = carry
      state, more = one_step(state)
      return state, metrics.merge(more)

    # The length is static: of an unknown one, a GPU asks the host at each turn.
    return jax.lax.fori_loop(
      0, num_steps, body, (state, Metrics.empty(num_classes))
    )

  return steps
