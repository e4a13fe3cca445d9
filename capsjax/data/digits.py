"""The handwritten digits that come with scikit-learn: real data, no download.

1,797 digits of 13 people, 8x8 with 17 grey levels: the test part of E. Alpaydin
and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning
Repository, 1998.
"""

import numpy as np
from jaxtyping import Float, Int, UInt8

from capsjax.data.dataset import Dataset, Split

_TEST_SIZE = 360
_SIZE = 28
# A pixel becomes 2.5 wide, so the 8x8 digit fills MNIST's box of 20x20.
_ENLARGEMENT = 2.5
_BRIGHTEST = 16.0


def load_digits() -> Dataset:
  """Loads the digits, enlarged to MNIST's 28x28.

  A fifth of each class, drawn once and for all, is the test. It is by the same
  writers as the training part, which makes it easier than a test on strangers:
  the file goes through its writers one after another, as far as one can tell,
  and nearest neighbours err on 4.4 % of its last fifth, but on 1.2 % of one
  drawn at random.

  Returns:
    1,437 training and 360 test images of shape [28, 28, 1], no validation.
  """
  from sklearn import datasets

  digits = datasets.load_digits()
  images = _enlarge(digits.images)
  labels = digits.target.astype(np.int32)
  test = _fifth_of_each_class(digits.target)
  return Dataset(
    name='digits',
    train=Split(images[~test], labels[~test]),
    test=Split(images[test], labels[test]),
    validation=None,
    num_classes=10,
  )


def _fifth_of_each_class(labels: Int[np.ndarray, ' n']) -> np.ndarray:
  """Marks `_TEST_SIZE` examples at random, of each class the same share."""
  rng = np.random.RandomState(0)  # NumPy promises never to change its stream.
  progress = np.empty(len(labels))
  for label in np.unique(labels):
    places = rng.permutation(np.flatnonzero(labels == label))
    progress[places] = (np.arange(len(places)) + 0.5) / len(places)
  marks = np.zeros(len(labels), bool)
  marks[np.argsort(progress, kind='stable')[-_TEST_SIZE:]] = True
  return marks


def _enlarge(
  images: Float[np.ndarray, 'n 8 8'],
) -> UInt8[np.ndarray, 'n h w 1']:
  """Enlarges about the centre by cubic convolution; outside it is black.

  In NumPy, so that the bytes do not depend on the device or on the version of
  a picture library.
  """
  centers = (np.arange(_SIZE) + 0.5 - _SIZE / 2) / _ENLARGEMENT
  sources = np.arange(images.shape[1]) + 0.5 - images.shape[1] / 2
  weights = _cubic(centers[:, None] - sources)
  enlarged = np.einsum(
    'yi,nij,xj->nyx', weights, images, weights, optimize=True
  )
  scaled = np.rint(enlarged * (255 / _BRIGHTEST)).clip(0, 255)
  return scaled.astype(np.uint8)[..., None]


def _cubic(distance: np.ndarray) -> np.ndarray:
  """Keys' kernel, a = -1/2 (R. Keys, IEEE Trans. ASSP 29(6), 1981, eq. 15)."""
  x = np.abs(distance)
  near = 1.5 * x**3 - 2.5 * x**2 + 1
  far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
  return np.where(x < 1, near, np.where(x < 2, far, 0.0))
