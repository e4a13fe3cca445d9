"""Data sets as arrays in host memory, with one reader per source.

Images are uint8 `[n, h, w, c]` and labels int32 `[n]`. `capsjax.examples` turns
them into batches.
"""

from capsjax.data.arrays import dataset_from_arrays
from capsjax.data.dataset import (
  Dataset,
  Split,
)
from capsjax.data.digits import (
  load_digits,
)
from capsjax.data.fingerprints import (
  fingerprints,
)
from capsjax.data.load import (
  load_dataset,
)
from capsjax.data.look import (
  Look,
)
from capsjax.data.matching import (
  match_classes,
)
from capsjax.data.mnist import (
  load_fashion_mnist,
  load_mnist,
)
from capsjax.data.outline import outline
from capsjax.data.selection import (
  hold_out,
  limit_training,
  mix_classes,
)
from capsjax.data.tfds import (
  load_tfds,
)

__all__ = [
  'Dataset',
  'Look',
  'Split',
  'dataset_from_arrays',
  'fingerprints',
  'hold_out',
  'limit_training',
  'load_dataset',
  'load_digits',
  'load_fashion_mnist',
  'load_mnist',
  'load_tfds',
  'outline',
  'match_classes',
  'mix_classes',
]
