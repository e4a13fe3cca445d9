"""One training step as a pure function of one device."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from capsjax.examples import Batch
from capsjax.training.metrics import Metrics
from capsjax.training.objective import Objective
from capsjax.training.state import TrainState

# Called as train_step(state, batch, *, axis_name=None).
TrainStep = Callable[..., tuple[TrainState, Metrics]]


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


def take_steps(
  one_step: Callable[[TrainState], tuple[TrainState, Metrics]],
  state: TrainState,
  num_steps: int,
  *,
  num_classes: int,
) -> tuple[TrainState, Metrics]:
  """Takes training steps one after another, on the device.

  Args:
    one_step: takes one step from a state.
    state: where to start from.
    num_steps: how many; static, for a GPU asks the host before each turn of a
      loop whose length it does not know.
    num_classes: the number of classes.

  Returns:
    The last state and the metrics of all steps.
  """
  # Without the loop, in which XLA's code for a CPU is slower.
  if num_steps == 1:
    return one_step(state)

  def body(_, carry):
    state, metrics = carry
    state, more = one_step(state)
    return state, metrics.merge(more)

  carry = state, Metrics.empty(num_classes)
  return jax.lax.fori_loop(0, num_steps, body, carry)
