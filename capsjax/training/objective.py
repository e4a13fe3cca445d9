"""Training objectives: weighted losses per example."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from capsjax import ops
from capsjax.errors import UserError
from capsjax.examples import Batch
from capsjax.models.outputs import ModelOutput


class Losses(NamedTuple):
  """The losses of each example.

  Attributes:
    total: the loss to minimise.
    classification: the margin loss, or the cross entropy of a baseline; neither
      scaled nor weighted by class.
    reconstruction: the sum of squared differences over pixels; not scaled, 0
      without a decoder.
  """

  total: Float[Array, ' batch']
  classification: Float[Array, ' batch']
  reconstruction: Float[Array, ' batch']


@runtime_checkable
class Objective(Protocol):
  """Maps a model's output and its input batch to losses."""

  def __call__(
    self, output: ModelOutput, batch: Batch, *, step: Any = None
  ) -> Losses:
    """Computes the losses of each example.

    Args:
      output: the model's output.
      batch: the images and targets.
      step: the number of steps taken, in training; None in evaluation.
    """


def capsule_losses(
  output: ModelOutput,
  batch: Batch,
  *,
  step: Any = None,
  positive_margin: float = 0.9,
  negative_margin: float = 0.1,
  down_weight: float = 0.5,
  margin_weight: float = 1.0,
  reconstruction_weight: float = 0.0005,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Computes the margin loss plus weighted reconstruction loss (section 4.1).

  Args:
    output: the output of a CapsNet, optionally with reconstructions: one per
      image, or one per object if the batch has objects.
    batch: the images and targets.
    step: ignored, as by all losses without a schedule.
    positive_margin: length that a present class should exceed, as in
      `ops.margin_loss`.
    negative_margin: length that an absent class should stay below.
    down_weight: weight of absent classes.
    margin_weight: 1 in the paper; 0.05 in the official code, which halves the
      margin loss and averages it over the 10 classes.
    reconstruction_weight: 0.0005 in both.
    class_weights: one factor of the margin loss per class; () for none. An
      example of several classes gets their mean.

  Returns:
    The losses.
  """
  del step
  margin = ops.margin_loss(
    output.scores,
    batch.targets,
    positive_margin=positive_margin,
    negative_margin=negative_margin,
    down_weight=down_weight,
  )
  weighted = margin_weight * _by_class(margin, batch, class_weights)
  if output.reconstructions is None:
    return Losses(weighted, margin, jnp.zeros_like(margin))
  if batch.objects is None:
    reconstruction = ops.reconstruction_loss(
      output.reconstructions, batch.images
    )
  else:
    # Each reconstruction is compared with its own object only (section 6).
    reconstruction = jnp.sum(
      ops.reconstruction_loss(output.reconstructions, batch.objects.images), -1
    )
  total = weighted + reconstruction_weight * reconstruction
  return Losses(total, margin, reconstruction)


def cross_entropy_losses(
  output: ModelOutput,
  batch: Batch,
  *,
  step: Any = None,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Computes the softmax cross entropy of a baseline (section 5).

  Args:
    output: the model's output, whose scores are logits. The authors of
      variational routing use activations in [0, 1] as logits.
    batch: the targets, one class per example.
    step: ignored.
    class_weights: one factor per class; () for none.

  Returns:
    The losses, with a reconstruction loss of 0.
  """
  del step
  log_probabilities = jax.nn.log_softmax(output.scores, -1)
  cross_entropy = -jnp.sum(batch.targets * log_probabilities, -1)
  return _without_reconstruction(cross_entropy, batch, class_weights)


def sigmoid_losses(
  output: ModelOutput,
  batch: Batch,
  *,
  step: Any = None,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Computes the sigmoid cross entropy for several objects (section 6).

  Args:
    output: the output of a baseline, whose scores are logits.
    batch: the targets, 1 for each class that is present.
    step: ignored.
    class_weights: as for `capsule_losses`.

  Returns:
    The losses, summed over classes, with a reconstruction loss of 0.
  """
  del step
  present = jax.nn.log_sigmoid(output.scores)
  absent = jax.nn.log_sigmoid(-output.scores)
  cross_entropy = -jnp.sum(
    batch.targets * present + (1 - batch.targets) * absent, -1
  )
  return _without_reconstruction(cross_entropy, batch, class_weights)


def spread_losses(
  output: ModelOutput,
  batch: Batch,
  *,
  step: Any = None,
  margin_schedule: str = 'linear',
  initial_margin: float = 0.2,
  final_margin: float = 0.9,
  margin_steps: int = 10_000,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Computes the spread loss of "Matrix Capsules with EM Routing".

  Args:
    output: the model's output, whose scores are activations in [0, 1].
    batch: the targets, one class per example.
    step: the number of steps taken; None for the final margin.
    margin_schedule: as for `spread_margin`, and so are the next three.
    initial_margin: the margin at the start.
    final_margin: the margin at the end.
    margin_steps: the number of steps in which it grows.
    class_weights: one factor per class; () for none.

  Returns:
    The losses, with a reconstruction loss of 0.

  Raises:
    UserError: the schedule is unknown.
  """
  margin: Any = final_margin
  if step is not None:
    margin = spread_margin(
      step,
      margin_schedule=margin_schedule,
      initial_margin=initial_margin,
      final_margin=final_margin,
      margin_steps=margin_steps,
    )
  spread = ops.spread_loss(output.scores, batch.targets, margin=margin)
  return _without_reconstruction(spread, batch, class_weights)


def spread_margin(
  step: Int[Array, ''] | int,
  *,
  margin_schedule: str,
  initial_margin: float,
  final_margin: float,
  margin_steps: int,
) -> Float[Array, '']:
  """Returns the margin of the spread loss after some steps.

  Args:
    step: the number of steps taken.
    margin_schedule: 'linear', as in the paper, or 'sigmoid': `initial + (final
      - initial) * sigmoid(8 * step / margin_steps - 4)`. The official code's is
      the latter, from 0.2 to 0.99 with 400,000 steps.
    initial_margin: the margin that a schedule starts from.
    final_margin: the margin that it ends with.
    margin_steps: the number of steps in which the margin grows; the sigmoid is
      at 0.982 of its range then.

  Raises:
    UserError: the schedule is unknown.
  """
  share = jnp.asarray(step, jnp.float32) / margin_steps
  if margin_schedule == 'linear':
    grown = jnp.minimum(share, 1)
  elif margin_schedule == 'sigmoid':
    grown = jax.nn.sigmoid(jnp.minimum(8 * share - 4, 10))
  else:
    raise UserError(
      f'unknown loss.margin_schedule {margin_schedule!r}; choose linear or '
      'sigmoid'
    )
  return initial_margin + (final_margin - initial_margin) * grown


def activation_losses(
  output: ModelOutput,
  batch: Batch,
  *,
  step: Any = None,
  class_weights: Sequence[float] = (),
) -> Losses:
  """Computes minus the logarithm of the true class's activation.

  Args:
    output: the model's output, whose scores are activations of sum 1.
    batch: the targets, one class per example.
    step: ignored.
    class_weights: one factor per class; () for none.

  Returns:
    The losses, with a reconstruction loss of 0.
  """
  del step
  loss = ops.activation_nll(output.scores, batch.targets)
  return _without_reconstruction(loss, batch, class_weights)


def _without_reconstruction(losses, batch, class_weights):
  """Returns the losses of a network that has no decoder."""
  total = _by_class(losses, batch, class_weights)
  return Losses(total, losses, jnp.zeros_like(losses))


def _by_class(losses, batch, class_weights):
  """Multiplies the loss of each example by the mean weight of its classes."""
  if not class_weights:
    return losses
  weights = batch.targets @ jnp.asarray(class_weights, batch.targets.dtype)
  return losses * weights / jnp.sum(batch.targets, -1)
