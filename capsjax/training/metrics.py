"""Metrics as sums over examples, whatever the batches.

Counts are exact up to 2**24 examples, above which float32 skips numbers.
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
  """Sums over examples; padding, whose weight is 0, does not count.

  All are float32 scalars but the last, `[num_classes, num_classes]`. As in
  every pytree of the package they are not annotated as arrays: JAX puts shapes
  and other stand-ins in their places.

  Attributes:
    count: the number of examples.
    correct: how many had all their classes predicted and no other.
    loss: the sum of total losses.
    classification_loss: the sum of classification losses.
    reconstruction_loss: the sum of reconstruction losses.
    confusion: how often each class (row) was taken for each (column). Of
      several classes of an example, those that were found are on the diagonal;
      one that was missed is shared out among the wrong ones predicted.
  """

  count: Any
  correct: Any
  loss: Any
  classification_loss: Any
  reconstruction_loss: Any
  confusion: Any

  @classmethod
  def empty(cls, num_classes: int) -> 'Metrics':
    """Sums over no examples."""
    zero = jnp.zeros((), jnp.float32)
    confusion = jnp.zeros((num_classes, num_classes), jnp.float32)
    return cls(zero, zero, zero, zero, zero, confusion)

  @classmethod
  def of(
    cls, output: ModelOutput, batch: Batch, losses: Losses, *, num_labels: int
  ) -> 'Metrics':
    """The sums over one batch.

    Args:
      output: of the model.
      batch: what the model was given.
      losses: of each example.
      num_labels: how many classes an example has: as many of the highest
        scores are the prediction.

    Returns:
      The sums.
    """
    predicted = ops.top_k_mask(output.scores, k=num_labels)
    weights = batch.weights
    correct = jnp.all(predicted == batch.targets, -1).astype(jnp.float32)

    def total(values):
      # A weight of 0 must also hide a value that is not finite.
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
    """The sums over the examples of both."""
    return jax.tree.map(lambda a, b: a + b, self, other)

  def compute(self) -> 'Results':
    """Divides the sums, on the host.

    Raises:
      ValueError: if there are no examples.
    """
    # In float64: a count stays exact, a mean does not depend on the size.
    sums = jax.tree.map(lambda x: np.asarray(x, np.float64), self)
    if not sums.count:
      raise ValueError('there are no examples to compute metrics of')
    of_class = np.maximum(sums.confusion.sum(-1), 1)
    whole = sums.confusion.astype(int)
    has_shares = (whole != sums.confusion).any()
    return Results(
      count=int(sums.count),
      accuracy=float(sums.correct / sums.count),
      loss=float(sums.loss / sums.count),
      classification_loss=float(sums.classification_loss / sums.count),
      reconstruction_loss=float(sums.reconstruction_loss / sums.count),
      class_accuracy=(np.diag(sums.confusion) / of_class).tolist(),
      confusion=(sums.confusion if has_shares else whole).tolist(),
    )


def _confusion(targets, predicted, weights):
  """`[num_classes, num_classes]`; each example has as many of both."""
  hits = targets.astype(jnp.float32) * predicted
  missed, wrong = targets - hits, predicted - hits
  # Nothing tells which wrong class was seen in place of which missed one.
  shares = weights / jnp.maximum(jnp.sum(missed, -1), 1)
  mistakes = jnp.einsum('b,bj,bk->jk', shares, missed, wrong)
  return jnp.diag(weights @ hits) + mistakes


@dataclasses.dataclass(frozen=True)
class Results:
  """Means over examples, as plain Python numbers.

  Attributes:
    count: the number of examples.
    accuracy: from 0 to 1.
    loss: the mean of total losses.
    classification_loss: the mean margin loss or cross entropy, not scaled.
    reconstruction_loss: the mean sum of squared differences, not scaled.
    class_accuracy: the share of each class that was predicted.
    confusion: counts by true class (row) and predicted class (column), as in
      `Metrics`: a row adds up to the number of examples with its class. Not all
      whole numbers where several classes of an example were missed.
  """

  count: int
  accuracy: float
  loss: float
  classification_loss: float
  reconstruction_loss: float
  class_accuracy: list[float]
  confusion: list[list[int | float]]

  @property
  def error(self) -> float:
    """The share of examples that are not predicted, in percent."""
    return 100 * (1 - self.accuracy)
