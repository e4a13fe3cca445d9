"""Masks that choose the capsules to decode, by counting."""

import numpy as np


def label_mask(labels: np.ndarray, *, num_classes: int) -> np.ndarray:
  """Returns 1 at each example's label, else 0."""
  mask = np.zeros((*labels.shape, num_classes), np.float32)
  for b in np.ndindex(labels.shape):
    mask[b][labels[b]] = 1
  return mask


def top_k_mask(lengths: np.ndarray, *, k: int) -> np.ndarray:
  """Returns 1 at the k longest, else 0; ties go to the first."""
  mask = np.zeros(lengths.shape, np.float32)
  for b in np.ndindex(lengths.shape[:-1]):
    order = sorted(range(lengths.shape[-1]), key=lambda j: -lengths[b][j])
    mask[b][order[:k]] = 1
  return mask


def mask_capsules(capsules: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Keeps the capsules with a mask of 1 and zeroes the others."""
  result = np.zeros_like(capsules)
  for index in np.ndindex(mask.shape):
    if mask[index]:
      result[index] = capsules[index]
  return result
