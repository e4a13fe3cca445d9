"""What is known of a data set before it is read or downloaded."""

import numpy as np

from capsjax.data.dataset import Dataset, Split

# Training images, test images, and the shape of an image; capsjax.data.load has
# the readers.
_KNOWN = {
  'affine_mnist': (60_000, 10_000, (40, 40, 1)),
  'digits': (1_437, 360, (28, 28, 1)),
  'expanded_mnist': (60_000, 10_000, (40, 40, 1)),
  'fashion_mnist': (60_000, 10_000, (28, 28, 1)),
  'mnist': (60_000, 10_000, (28, 28, 1)),
  'smallnorb': (24_300, 24_300, (48, 48, 2)),
  'svhn': (73_257, 26_032, (32, 32, 3)),
}
_CLASSES = {'smallnorb': 5}


def outline(name: str) -> Dataset | None:
  """Returns a data set of black images with the sizes of one of that name.

  It takes no memory, and a configuration can be checked on it before the images
  are downloaded.

  Args:
    name: the name of a data set.

  Returns:
    The stand-in, whose labels are all 0; None if the sizes are not known.

  Examples:
    >>> from capsjax.data import outline
    >>> mnist = outline('mnist')
    >>> len(mnist.train), mnist.image_shape
    (60000, (28, 28, 1))
  """
  if name not in _KNOWN:
    return None
  train, test, shape = _KNOWN[name]
  return Dataset(
    name,
    _black(train, shape),
    _black(test, shape),
    None,
    _CLASSES.get(name, 10),
  )


def _black(count: int, shape: tuple[int, int, int]) -> Split:
  images = np.broadcast_to(np.uint8(0), (count, *shape))
  return Split(images, np.zeros(count, np.int32))
