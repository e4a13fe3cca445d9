"""What a model is trained for: losses of each example, with their weights."""

from collections.abc import Callable
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
    total: what is minimised.
    classification: the margin loss, or the cross entropy of a baseline; not
      scaled.
    reconstruction: sum of squared differences over pixels; not scaled, 0
      without a decoder.
  """

  total: Float[Array, ' batch']
  classification: Float[Array, ' batch']
  reconstruction: Float[Array, ' batch']


# Maps a model's output and the batch it was made from to losses.
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
) -> Losses:
  """Margin loss plus the weighted reconstruction loss (section 4.1).

  Args:
    output: of a CapsNet, with or without reconstructions: one of each image, or
      of each object if the batch has objects.
    batch: the images and targets.
    positive_margin: as for `ops.margin_loss`, like the next two.
    negative_margin: the length that an absent class should stay below.
    down_weight: the weight of absent classes.
    margin_weight: 1 in the paper; 0.05 in the official code, which halves the
      margin loss and takes its mean over the 10 classes.
    reconstruction_weight: 0.0005 in both.

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
  if output.reconstructions is None:
    return Losses(margin_weight * margin, margin, jnp.zeros_like(margin))
  if batch.objects is None:
    reconstruction = ops.reconstruction_loss(
      output.reconstructions, batch.images
    )
  else:
    # Each object against itself alone (section 6).
    reconstruction = jnp.sum(
      ops.reconstruction_loss(output.reconstructions, batch.objects.images), -1
    )
  total = margin_weight * margin + reconstruction_weight * reconstruction
  return Losses(total, margin, reconstruction)


def cross_entropy_losses(output: ModelOutput, batch: Batch) -> Losses:
  """The softmax cross entropy of a baseline (section 5).

  Args:
    output: scores are logits.
    batch: the targets, one class each.

  Returns:
    The losses, those of reconstruction 0.
  """
  log_probabilities = jax.nn.log_softmax(output.scores, -1)
  cross_entropy = -jnp.sum(batch.targets * log_probabilities, -1)
  return Losses(cross_entropy, cross_entropy, jnp.zeros_like(cross_entropy))


def sigmoid_losses(output: ModelOutput, batch: Batch) -> Losses:
  """The sigmoid cross entropy of a baseline for several objects (section 6).

  Args:
    output: scores are logits.
    batch: the targets, 1 for each class that is present.

  Returns:
    The losses, summed over the classes, those of reconstruction 0.
  """
  present = jax.nn.log_sigmoid(output.scores)
  absent = jax.nn.log_sigmoid(-output.scores)
  cross_entropy = -jnp.sum(
    batch.targets * present + (1 - batch.targets) * absent, -1
  )
  return Losses(cross_entropy, cross_entropy, jnp.zeros_like(cross_entropy))
