"""MNIST on a 40x40 canvas, for models that are tested on affNIST.

All three data sets have the same training digits, centred on the canvas so that
`max_shift=6` can place them anywhere (section 5.2). They differ in their tests.
"""

import dataclasses
import os

import jax
import jax.numpy as jnp
import numpy as np

from capsjax.data.affnist import read_affnist
from capsjax.data.dataset import Dataset, Split
from capsjax.data.mnist import load_mnist
from capsjax.examples import random_affine, random_shift, scale_images

# Pads 28x28 digits to 40x40.
_MARGIN = 6
_BLOCK_SIZE = 1000


def load_expanded_mnist(
  *, data_dir: str | os.PathLike[str] | None = None, seed: int = 0
) -> Dataset:
  """Loads MNIST with test digits at random positions on the canvas.

  Section 5.2 stops training early by the accuracy on this test split. Images
  held out for validation stay centred.

  Args:
    data_dir: as in `load_mnist`.
    seed: chooses the positions.

  Returns:
    60,000 training and 10,000 test images of shape [40, 40, 1].

  Raises:
    UserError: as in `load_mnist`.
  """
  centred = _load_centred(data_dir)
  keys = jax.random.split(jax.random.key(seed), len(centred.test))
  shift = jax.jit(
    jax.vmap(lambda k, image: random_shift(k, image, max_shift=_MARGIN))
  )
  images = np.asarray(shift(keys, centred.test.images))
  return _with_test(centred, 'expanded_mnist', images)


def load_affine_mnist(
  *, data_dir: str | os.PathLike[str] | None = None, seed: int = 0
) -> Dataset:
  """Loads MNIST with test digits transformed as in affNIST.

  A stand-in for affNIST when its files are not available; affNIST itself has 32
  published transformations of each test digit. Rotation (20 degrees either
  way), scale (0.8 to 1.2, separately for width and height) and shear (0.2) are
  uniform over affNIST's ranges. The digit is then placed uniformly on the
  canvas, never cut off.

  Args:
    data_dir: as in `load_mnist`.
    seed: chooses the transformations; the same seed gives the same images.

  Returns:
    60,000 training and 10,000 test images of shape [40, 40, 1].

  Raises:
    UserError: as in `load_mnist`.

  References:
    T. Tieleman: affNIST, https://www.cs.toronto.edu/~tijmen/affNIST/
  """
  centred = _load_centred(data_dir)
  keys = jax.random.split(jax.random.key(seed), len(centred.test))
  mapped = np.empty(centred.test.images.shape, np.uint8)
  for start in range(0, len(keys), _BLOCK_SIZE):
    block = slice(start, start + _BLOCK_SIZE)
    mapped[block] = _map_and_place(keys[block], centred.test.images[block])
  return _with_test(centred, 'affine_mnist', mapped)


def load_affnist(*, data_dir: str | os.PathLike[str] | None = None) -> Dataset:
  """Loads MNIST's training digits and affNIST's test split.

  Args:
    data_dir: as in `load_mnist`; also holds affNIST's files, directly or in its
      subfolder `affnist`.

  Returns:
    60,000 training images and affNIST's test images, of shape [40, 40, 1].

  Raises:
    UserError: as in `load_mnist`, or affNIST's files are missing or damaged.
  """
  test = read_affnist(data_dir)
  return dataclasses.replace(_load_centred(data_dir), name='affnist', test=test)


def _load_centred(data_dir):
  mnist = load_mnist(data_dir=data_dir)
  return dataclasses.replace(
    mnist, train=_centred(mnist.train), test=_centred(mnist.test)
  )


def _centred(split: Split) -> Split:
  margin = (_MARGIN, _MARGIN)
  images = np.pad(split.images, ((0, 0), margin, margin, (0, 0)))
  return Split(images, split.labels)


def _with_test(dataset, name, images):
  test = Split(images, dataset.test.labels)
  return dataclasses.replace(dataset, name=name, test=test)


@jax.jit
def _map_and_place(keys, images):
  def one(key, image):
    map_key, place_key = jax.random.split(key)
    # The ranges published on affNIST's site.
    mapped = random_affine(
      map_key,
      scale_images(image),
      max_rotation=20.0,
      scale_range=(0.8, 1.2),
      max_shear=0.2,
    )
    mapped = jnp.rint(255 * mapped).astype(jnp.uint8)
    ink = jnp.any(mapped > 0, -1)
    down, right = (
      _random_offset(jax.random.fold_in(place_key, axis), ink.any(1 - axis))
      for axis in (0, 1)
    )
    return jnp.roll(mapped, (down, right), (0, 1))

  return jax.vmap(one)(keys, images)


def _random_offset(key, has_ink):
  """Draws a uniform offset along one axis that keeps all ink on the canvas."""
  size = has_ink.shape[0]
  first = jnp.argmax(has_ink)
  last = size - 1 - jnp.argmax(has_ink[::-1])
  return jax.random.randint(key, (), -first, size - last, jnp.int32)
