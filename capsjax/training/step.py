"""Training steps as pure functions on one device."""

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
  """Takes one training step; made by `create_train_step`."""

  def __call__(
    self, state: TrainState, batch: Batch, *, axis_name: str | None = None
  ) -> tuple[TrainState, Metrics]:
    """Takes one step on the examples of one device.

    Args:
      state: the state before the step.
      batch: the examples.
      axis_name: name of the device axis over which gradients are averaged and
        metrics summed; None for one device.

    Returns:
      The state after the step, and the metrics before the update.
    """


@runtime_checkable
class Steps(Protocol):
  """Takes several steps of an epoch; made by `create_steps`."""

  def __call__(
    self,
    state: TrainState,
    data: DeviceData,
    permutation: Int32[Array, ' size'],
    device: int | Int32[Array, ''],
    num_steps: int,
  ) -> tuple[TrainState, Metrics]:
    """Takes the next steps, on one device's share of each batch.

    Args:
      state: the initial state.
      data: the training split.
      permutation: the order of the examples in this epoch.
      device: the index of this device.
      num_steps: number of steps, static; must not run past the end of the
        epoch.

    Returns:
      The final state, and the metrics of all steps.
    """


def create_train_step(
  apply_fn: Callable[..., Any],
  objective: Objective,
  optimizer: optax.GradientTransformation,
  *,
  dropout_key: Key[Array, ''],
  num_labels: int,
) -> TrainStep:
  """Creates the training step.

  Args:
    apply_fn: a model's `apply`.
    objective: computes the losses, whose mean over all examples is minimised.
    optimizer: the optimiser.
    dropout_key: the run's key for dropout.
    num_labels: number of classes per example.

  Returns:
    `train_step(state, batch, *, axis_name=None)`, which returns the next state
    and the metrics of the batch before the update. Given a device axis, it
    averages gradients and sums metrics over it, so that every device returns
    the same; a model with statistics gets its name as `axis_name`, to average
    them. Only the dropout masks depend on the number of devices.
  """

  def train_step(state, batch, *, axis_name=None):
    key = jax.random.fold_in(dropout_key, state.step)
    if axis_name:
      key = jax.random.fold_in(key, jax.lax.axis_index(axis_name))

    # Models without statistics need not know about devices.
    shared = {'axis_name': axis_name} if state.statistics else {}

    def loss_fn(params):
      output, statistics = apply_fn(
        {'params': params, **state.statistics},
        batch.images,
        batch.targets if batch.objects is None else batch.objects.targets,
        train=True,
        rngs={'dropout': key},
        mutable=list(state.statistics),
        **shared,
      )
      losses = objective(output, batch, step=state.step)
      metrics = Metrics.of(output, batch, losses, num_labels=num_labels)
      return jnp.mean(losses.total), (metrics, statistics)

    gradients, (metrics, statistics) = jax.grad(loss_fn, has_aux=True)(
      state.params
    )
    if axis_name:
      gradients = jax.lax.pmean(gradients, axis_name)
      metrics = jax.lax.psum(metrics, axis_name)
    updates, opt_state = optimizer.update(
      gradients, state.opt_state, state.params
    )
    # A frozen part has no update. Adding zeros could change its bits.
    before = {name: state.params[name] for name in updates}
    params = state.params | optax.apply_updates(before, updates)
    return TrainState(state.step + 1, params, opt_state, statistics), metrics

  return train_step


def gradient_norms(
  variables: Any,
  batch: Batch,
  *,
  apply_fn: Callable[..., Any],
  objective: Objective,
) -> dict[str, Float[Array, '']]:
  """Computes the norm of the mean loss's gradient for each part of a model.

  Args:
    variables: the model's variables.
    batch: some examples.
    apply_fn: the model's `apply`, called without dropout.
    objective: computes the losses.

  Returns:
    Norms by part, named by the top-level keys of the parameters.
  """

  def loss_fn(params):
    output = apply_fn(
      {**variables, 'params': params},
      batch.images,
      batch.targets if batch.objects is None else batch.objects.targets,
    )
    return jnp.mean(objective(output, batch).total)

  gradients = jax.grad(loss_fn)(variables['params'])
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
  """Creates a function that takes several steps of an epoch on one device.

  Args:
    train_step: takes one step.
    make_batch: makes the batch of a step.
    batch_size: number of examples per batch on all devices together.
    share: number of examples per batch on each device.
    steps_per_epoch: number of steps per epoch.
    num_classes: number of classes.
    axis_name: name of the device axis.

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

    # num_steps is static: with a dynamic length, a GPU would ask the host in
    # every iteration.
    return jax.lax.fori_loop(
      0, num_steps, body, (state, Metrics.empty(num_classes))
    )

  return steps
