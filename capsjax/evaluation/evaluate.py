"""Evaluation over a whole set: every example exactly once."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from capsjax.data.augment import scale_images
from capsjax.data.batch import Batch
from capsjax.data.dataset import Split
from capsjax.evaluation.metrics import Metrics
from capsjax.evaluation.objective import Objective

# Called with parameters and arrays uint8 [b, h, w, c], int32 [b] and float32
# [b]: images, labels, weights.
EvaluateFn = Callable[..., Metrics]


def create_eval_step(
  apply_fn: Callable[..., Any],
  objective: Objective,
  *,
  num_classes: int,
  num_labels: int,
) -> EvaluateFn:
  """Makes the pure function that evaluates one batch on one device.

  Args:
    apply_fn: a model's `apply`.
    objective: the losses.
    num_classes: the number of classes.
    num_labels: how many classes an example has.

  Returns:
    `eval_step(params, images, labels, weights, *, axis_name=None)`, whose
    metrics are summed over the axis if it is named.
  """

  def eval_step(params, images, labels, weights, *, axis_name=None):
    targets = jax.nn.one_hot(labels, num_classes, dtype=jnp.float32)
    batch = Batch(scale_images(images), targets, weights)
    # The model is not told the targets, so it decodes what it predicts.
    output = apply_fn({'params': params}, batch.images)
    losses = objective(output, batch)
    metrics = Metrics.of(output, batch, losses, num_labels=num_labels)
    return jax.lax.psum(metrics, axis_name) if axis_name else metrics

  return eval_step


def evaluate(
  evaluate_fn: EvaluateFn,
  params: Any,
  split: Split,
  *,
  batch_size: int,
  num_classes: int,
  on_batch: Callable[[int], None] = lambda count: None,
) -> Metrics:
  """Sums metrics over every example of a split.

  Args:
    evaluate_fn: a compiled eval step.
    params: the model's parameters.
    split: what to evaluate on.
    batch_size: the number of examples of each call; the last is padded.
    num_classes: the number of classes.
    on_batch: called with the number of examples that are under way.

  Returns:
    The sums, on the device.
  """
  metrics = Metrics.empty(num_classes)
  done = 0
  for images, labels, weights in _padded_batches(split, batch_size):
    metrics = metrics.merge(evaluate_fn(params, images, labels, weights))
    done = min(done + batch_size, len(split))
    on_batch(done)
  return metrics


def _padded_batches(
  split: Split, batch_size: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  for start in range(0, len(split), batch_size):
    images = split.images[start : start + batch_size]
    labels = split.labels[start : start + batch_size]
    missing = batch_size - len(labels)
    weights = np.ones(len(labels), np.float32)
    yield (
      np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0))),
      np.pad(labels, (0, missing)),
      np.pad(weights, (0, missing)),
    )
