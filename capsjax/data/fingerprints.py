"""Short hashes of images, to find those that two sets have in common."""

import hashlib

import numpy as np
from jaxtyping import UInt8, UInt64

_BYTES = 8


def fingerprints(
  images: UInt8[np.ndarray, 'n h w c'],
) -> UInt64[np.ndarray, ' n']:
  """Returns a hash of the pixels of each image.

  Equal images have equal hashes. In a set of a million images, the chance that
  any two others share one is about one in 40 million.

  Args:
    images: images of one shape.

  Examples:
    How many test images are also training images:

    >>> import numpy as np
    >>> from capsjax.data import fingerprints, load_digits
    >>> digits = load_digits()
    >>> train = fingerprints(digits.train.images)
    >>> test = fingerprints(digits.test.images)
    >>> int(np.isin(test, train).sum())
    0
  """
  digests = [
    hashlib.blake2b(image.tobytes(), digest_size=_BYTES).digest()
    for image in images
  ]
  return np.frombuffer(b''.join(digests), '<u8').astype(np.uint64)
