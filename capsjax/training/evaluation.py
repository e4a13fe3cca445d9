"""Evaluates a whole split, counting every example exactly once."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float32, Int32

from capsjax.examples import DeviceData, Examples
from capsjax.training.metrics import Metrics
from capsjax.training.objective import Objective


@runtime_checkable
class EvalStep(Protocol):
  """Evaluates one batch on one device."""

  def __call__(
    self,
    variables: Any,
    data: DeviceData,
    indices: Int32[Array, ' batch'],
    weights: Float32[Array, ' batch'],
  ) -> Metrics:
    """Sums metrics over some examples.

    Args:
      variables: the model's variables.
      data: the split.
      indices: the indices of the examples.
      weights: 1 for examples, 0 for padding.
    """


@runtime_checkable
class EvaluateFn(Protocol):
  """Evaluates many batches on all devices."""

  def __call__(
    self,
    variables: Any,
    data: DeviceData,
    indices: Int32[Array | np.ndarray, 'batches batch'],
    weights: Float32[Array | np.ndarray, 'batches batch'],
    metrics: Metrics,
  ) -> Metrics:
    """Adds the metrics of some examples to the sums of earlier calls.

    `metrics` makes each call depend on the one before. Otherwise two concurrent
    calls on several CPU devices, whose collective operations wait for each
    other, could occupy all threads and deadlock.

    Args:
      variables: the model's variables, on every device.
      data: the split, on every device.
      indices: the indices of the examples.
      weights: 1 for examples, 0 for padding.
      metrics: the sums so far.
    """


def create_eval_step(
  apply_fn: Callable[..., Any], objective: Objective, examples: Examples
) -> EvalStep:
  """Creates the pure function that evaluates one batch on one device.

  Args:
    apply_fn: a model's `apply`.
    objective: computes the losses.
    examples: makes the test examples.

  Returns:
    `eval_step(variables, data, indices, weights)`.
  """

  def eval_step(variables, data, indices, weights):
    batch = examples.test_batch(data, indices)._replace(weights=weights)
    # Without targets, the model decodes the classes it predicts.
    output = apply_fn(variables, batch.images)
    losses = objective(output, batch)
    return Metrics.of(output, batch, losses, num_labels=examples.num_objects)

  return eval_step


def evaluate(
  evaluate_fn: EvaluateFn,
  variables: Any,
  data: DeviceData,
  *,
  size: int,
  batch_size: int,
  num_classes: int,
  batches_per_call: int = 1,
  on_batch: Callable[[int], None] = lambda count: None,
) -> Metrics:
  """Sums metrics over every example of a split.

  Args:
    evaluate_fn: evaluates many batches.
    variables: the model's variables.
    data: the split.
    size: number of examples made from the split.
    batch_size: number of examples per batch; the last batch is padded.
    num_classes: number of classes.
    batches_per_call: number of batches per call; the last call is padded.
    on_batch: called with the number of examples submitted so far.

  Returns:
    The sums, on the device.
  """
  metrics = Metrics.empty(num_classes)
  shape = batches_per_call, batch_size
  for indices, weights in padded_batches(size, batches_per_call * batch_size):
    metrics = evaluate_fn(
      variables,
      data,
      indices.reshape(shape),
      weights.reshape(shape),
      metrics,
    )
    on_batch(int(indices[0]) + int(weights.sum()))
  return metrics


def padded_batches(
  size: int, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields the indices of all examples, padding the last batch with weight 0.

  Args:
    size: number of examples.
    batch_size: number of examples per batch.

  Yields:
    Indices of examples, int32, and their weights, float32.
  """
  for start in range(0, size, batch_size):
    numbers = np.arange(start, start + batch_size, dtype=np.int32)
    yield np.minimum(numbers, size - 1), (numbers < size).astype(np.float32)
