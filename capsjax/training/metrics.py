"""Metrics as sums over examples, independent of the batch size.

Counts are exact up to 2**24 examples; beyond that, float32 skips integers.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from capsjax import ops
from capsjax.examples import Batch
from capsjax.models.outputs import ModelOutput
from capsjax.training.objective import Losses


@struct.dataclass
class Metrics:
  """Sums over examples; padding has weight 0 and does not count.

  All fields are float32 scalars except `confusion`, of shape
  `[num_classes, num_classes]`. As in every pytree of the package, fields are
  not annotated as arrays, since JAX also puts shapes and other placeholders
  there.

  Attributes:
    count: number of examples.
    correct: number of examples with exactly their classes predicted.
    loss: sum of total losses.
    classification_loss: sum of classification losses.
    reconstruction_loss: sum of reconstruction losses.
    confusion: counts by true class (row) and predicted class (column). If an
      example has several classes, those predicted count on the diagonal, and
      each missed one is shared equally among the wrong predictions.
  """

  count: Any
  correct: Any
  loss: Any
  classification_loss: Any
  reconstruction_loss: Any
  confusion: Any

  @classmethod
  def empty(cls, num_classes: int) -> 'Metrics':
    """Returns sums over no examples."""
    zero = jnp.zeros((), jnp.float32)
    confusion = jnp.zeros((num_classes, num_classes), jnp.float32)
    return cls(zero, zero, zero, zero, zero, confusion)

  @classmethod
  def of(
    cls, output: ModelOutput, batch: Batch, losses: Losses, *, num_labels: int
  ) -> 'Metrics':
    """Returns the sums over one batch.

    Args:
      output: the model's output.
      batch: the model's input.
      losses: the losses of each example.
      num_labels: number of classes per example; this many of the highest scores
        are the prediction.

    Returns:
      The sums.
    """
    predicted = ops.top_k_mask(output.scores, k=num_labels)
    weights = batch.weights
    correct = jnp.all(predicted == batch.targets, -1).astype(jnp.float32)

    def total(values):
      # Multiplying by a weight of 0 would not hide values that are not finite.
      return jnp.sum(jnp.where(weights > 0, values, 0))

    return cls(
      count=jnp.sum(weights),
      correct=total(correct),
      loss=total(losses.total),
      classification_loss=total(losses.classification),
      reconstruction_loss=total(losses.reconstruction),
      confusion=_confusion(batch.targets, predicted, weights),
    )

  def merge(self, other: 'Metrics') -> 'Metrics':
    """Returns the sums over the examples of both."""
    return jax.tree.map(lambda a, b: a + b, self, other)

  def compute(self) -> 'Results':
    """Computes means from the sums, on the host.

    Raises:
      ValueError: there are no examples.
    """
    # float64 keeps counts exact, and means independent of the size of the set.
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64), self)
    if not sums.count:
      raise ValueError('there are no examples to compute metrics from')
    recall = _recall(sums.confusion)
    known = [share for share in recall if share is not None]
    whole = sums.confusion.astype(int)
    has_shares = (whole != sums.confusion).any()
    return Results(
      count=int(sums.count),
      accuracy=float(sums.correct / sums.count),
      loss=float(sums.loss / sums.count),
      classification_loss=float(sums.classification_loss / sums.count),
      reconstruction_loss=float(sums.reconstruction_loss / sums.count),
      balanced_accuracy=sum(known) / max(len(known), 1),
      class_recall=recall,
      confusion=(sums.confusion if has_shares else whole).tolist(),
    )


def _confusion(targets, predicted, weights):
  """Returns a `[num_classes, num_classes]` confusion matrix.

  Each example has as many predicted classes as true ones.
  """
  hits = targets.astype(jnp.float32) * predicted
  missed, wrong = targets - hits, predicted - hits
  # Which wrong class replaced which missed one is unknown, so share equally.
  shares = weights / jnp.maximum(jnp.sum(missed, -1), 1)
  mistakes = jnp.einsum('b,bj,bk->jk', shares, missed, wrong)
  return jnp.diag(weights @ hits) + mistakes


def _recall(confusion: np.ndarray) -> list[float | None]:
  """Returns the share of each row on the diagonal, None for an empty row."""
  return [
    float(row[k] / row.sum()) if row.sum() else None
    for k, row in enumerate(confusion)
  ]


@dataclasses.dataclass(frozen=True)
class Results:
  """Means over examples, as plain Python numbers.

  Attributes:
    count: number of examples.
    accuracy: from 0 to 1.
    balanced_accuracy: the mean of `class_recall` over the classes that have
      examples, so that rare classes count as much as frequent ones.
    loss: mean of total losses.
    classification_loss: mean margin loss or cross entropy, not scaled.
    reconstruction_loss: mean sum of squared differences, not scaled.
    class_recall: for each class, the share of its examples that were found;
      None without examples.
    confusion: counts by true class (row) and predicted class (column), as in
      `Metrics`; each row sums to the number of examples with its class. Entries
      may be fractions if several classes of an example were missed.
  """

  count: int
  accuracy: float
  balanced_accuracy: float
  loss: float
  classification_loss: float
  reconstruction_loss: float
  class_recall: list[float | None]
  confusion: list[list[int | float]]

  @property
  def error(self) -> float:
    """Share of misclassified examples, in percent."""
    return 100 * (1 - self.accuracy)
