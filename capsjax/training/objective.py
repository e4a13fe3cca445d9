"""Training objectives: weighted losses per example."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from capsjax import ops
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


#: Maps a model's output and its input batch to losses.
Objective = Callable[[ModelOutput, Batch], Losses]


def capsule_losses(
  output: ModelOutput,
  batch: Batch,
  *,
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
  output: ModelOutput, batch: Batch, *, class_weights: Sequence[float] = ()
) -> Losses:
  """Computes the softmax cross entropy of a baseline (section 5).

  Args:
    output: the model's output, whose scores are logits.
    batch: the targets, one class per example.
    class_weights: one factor per class; () for none.

  Returns:
    The losses, with a reconstruction loss of 0.
  """
  log_probabilities = jax.nn.log_softmax(output.scores, -1)
  cross_entropy = -jnp.sum(batch.targets * log_probabilities, -1)
  return _without_reconstruction(cross_entropy, batch, class_weights)


def sigmoid_losses(
  output: ModelOutput, batch: Batch, *, class_weights: Sequence[float] = ()
) -> Losses:
  """Computes the sigmoid cross entropy for several objects (section 6).

  Args:
    output: the output of a baseline, whose scores are logits.
    batch: the targets, 1 for each class that is present.
    class_weights: as for `capsule_losses`.

  Returns:
    The losses, summed over classes, with a reconstruction loss of 0.
  """
  present = jax.nn.log_sigmoid(output.scores)
  absent = jax.nn.log_sigmoid(-output.scores)
  cross_entropy = -jnp.sum(
    batch.targets * present + (1 - batch.targets) * absent, -1
  )
  return _without_reconstruction(cross_entropy, batch, class_weights)


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
