"""The losses, class by class and pixel by pixel."""

import numpy as np


def margin_loss(
  lengths: np.ndarray,
  targets: np.ndarray,
  *,
  positive_margin: float = 0.9,
  negative_margin: float = 0.1,
  down_weight: float = 0.5,
) -> np.ndarray:
  """Computes Equation 4 for each example of `[*batch, num_classes]`."""
  losses = np.zeros(lengths.shape[:-1])
  for b in np.ndindex(losses.shape):
    for length, target in zip(lengths[b], targets[b], strict=True):
      if target:
        losses[b] += max(0.0, positive_margin - float(length)) ** 2
      else:
        excess = max(0.0, float(length) - negative_margin)
        losses[b] += down_weight * excess**2
  return losses


def spread_loss(
  activations: np.ndarray, targets: np.ndarray, *, margin: float = 0.9
) -> np.ndarray:
  """Computes the spread loss for each example of `[*batch, num_classes]`."""
  losses = np.zeros(activations.shape[:-1])
  for b in np.ndindex(losses.shape):
    true = int(np.argmax(targets[b]))
    for i, activation in enumerate(activations[b]):
      if i != true:
        spread = float(activations[b][true]) - float(activation)
        losses[b] += max(0.0, margin - spread) ** 2
  return losses


def reconstruction_loss(
  reconstructions: np.ndarray, images: np.ndarray
) -> np.ndarray:
  """Sums squared differences for each example of `[*batch, h, w, c]`."""
  losses = np.zeros(images.shape[:-3])
  for b in np.ndindex(losses.shape):
    for pixel in np.ndindex(images.shape[-3:]):
      difference = float(reconstructions[b][pixel]) - float(images[b][pixel])
      losses[b] += difference**2
  return losses
