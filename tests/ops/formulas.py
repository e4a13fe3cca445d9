"""The formulas of the ops in plain JAX, to differentiate in float64.

They are written as in the paper, for vectors far from zero and from overflow.
"""

import jax
import jax.numpy as jnp


def lengths(capsules):
  return jnp.sqrt(jnp.sum(capsules**2, -1))


def squash(preactivations):
  length = lengths(preactivations)[..., None]
  return length * preactivations / (1 + length**2)


def exponential_squash(preactivations):
  length = lengths(preactivations)[..., None]
  return (1 - jnp.exp(-length)) * preactivations / length


def receptive_fields(grid):
  """Fields of 2x2 with strides of 1 and 2, of a grid with one more axis."""
  rows = [
    [
      grid[..., y : y + 2, x : x + 2, :]
      for x in range(0, grid.shape[-2] - 1, 2)
    ]
    for y in range(grid.shape[-3] - 1)
  ]
  return jnp.stack([jnp.stack(row, -4) for row in rows], -5)


def primary_capsules(features, bias, *, num_types, scale):
  types = jnp.stack(jnp.split(features, num_types, -1), -2)
  return squash(scale * types + bias)


def compute_votes(inputs, kernel):
  return jnp.sum(inputs[..., None, :, None] * kernel, -2)


def dynamic_routing(votes, *, num_iterations=3):
  routing_logits = jnp.zeros_like(votes[..., 0])
  for _ in range(num_iterations):
    exponentials = jnp.exp(routing_logits)
    couplings = exponentials / jnp.sum(exponentials, -1, keepdims=True)
    capsules = squash(jnp.sum(couplings[..., None] * votes, -3))
    agreement = jnp.sum(votes * capsules[..., None, :, :], -1)
    routing_logits = routing_logits + agreement
  return capsules


def route(inputs, kernel):
  return dynamic_routing(compute_votes(inputs, kernel))


def convolution(inputs, kernel, *, strides=(1, 1)):
  """A valid correlation, tap by tap."""
  (kh, kw), (sh, sw) = kernel.shape[:2], strides
  height, width = inputs.shape[-3:-1]
  oh, ow = (height - kh) // sh + 1, (width - kw) // sw + 1
  return sum(
    inputs[..., y : y + sh * oh : sh, x : x + sw * ow : sw, :][..., :oh, :ow, :]
    @ kernel[y, x]
    for y in range(kh)
    for x in range(kw)
  )


def margin_loss(lengths, targets):
  present = targets * jnp.maximum(0, 0.9 - lengths) ** 2
  absent = (1 - targets) * jnp.maximum(0, lengths - 0.1) ** 2
  return jnp.sum(present + 0.5 * absent, -1)


def spread_loss(activations, targets):
  of_target = jnp.sum(targets * activations, -1, keepdims=True)
  others = (1 - targets) * jnp.maximum(0, 0.9 + activations - of_target) ** 2
  return jnp.sum(others, -1)


def activation_nll(activations, targets):
  return -jnp.log(jnp.sum(targets * activations, -1))


def reconstruction_loss(reconstructions, images):
  return jnp.sum((reconstructions - images) ** 2, (-3, -2, -1))


def mask_capsules(capsules, mask):
  return capsules * mask[..., None]


def label_mask(labels, *, num_classes):
  return 1.0 * (labels[..., None] == jnp.arange(num_classes))


def top_k_mask(lengths, *, k):
  """For lengths that all differ."""
  rank = jnp.sum(lengths[..., None, :] > lengths[..., None], -1)
  return 1.0 * (rank < k)


def longest_mask(lengths):
  return top_k_mask(lengths, k=1)


def top_k_masks(lengths, *, k):
  chosen = top_k_mask(lengths, k=k)
  place = jnp.cumsum(chosen, -1) * chosen
  return jax.numpy.stack([1.0 * (place == i + 1) for i in range(k)], -2)


def routing_iteration(votes, routing_logits):
  couplings = jax.nn.softmax(routing_logits, -1)
  capsules = squash(jnp.sum(couplings[..., None] * votes, -3))
  return capsules, couplings, jnp.sum(votes * capsules[..., None, :, :], -1)
