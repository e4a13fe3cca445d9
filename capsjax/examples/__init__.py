"""Batches for a network, made from images on the device.

All randomness comes from typed PRNG keys, one per example, so a batch depends
only on the run's seed and the step number.
"""

from capsjax.examples.affine import (
  affine_matrix,
  map_affine,
  random_affine,
)
from capsjax.examples.augment import (
  random_shift,
  scale_images,
)
from capsjax.examples.batch import (
  Batch,
  Objects,
)
from capsjax.examples.order import (
  epoch_permutation,
)
from capsjax.examples.pairs import (
  PairExamples,
)
from capsjax.examples.pipeline import (
  MakeBatch,
  create_make_batch,
)
from capsjax.examples.preparation import (
  Preparation,
)
from capsjax.examples.single import (
  DeviceData,
  Examples,
  SingleExamples,
)

__all__ = [
  'Batch',
  'DeviceData',
  'Examples',
  'MakeBatch',
  'Objects',
  'PairExamples',
  'Preparation',
  'SingleExamples',
  'affine_matrix',
  'create_make_batch',
  'epoch_permutation',
  'map_affine',
  'random_affine',
  'random_shift',
  'scale_images',
]
