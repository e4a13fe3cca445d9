"""Prepares the bytes of an image as network input, on the device."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key, UInt8

from capsjax.errors import UserError
from capsjax.examples.affine import random_affine
from capsjax.examples.augment import random_shift, scale_images
from capsjax.examples.photometric import (
  central_crop,
  random_brightness,
  random_contrast,
  random_crop,
  random_erase,
  random_flip,
  standardize,
)


@dataclasses.dataclass(frozen=True)
class Preparation:
  """How one image is prepared, in training and at test.

  The defaults only scale bytes to [0, 1]. All fields but `crop_size` and
  `standardize` apply to training only. Fields are applied in the order listed.

  Attributes:
    max_rotation: in degrees; this and the next three are as in `random_affine`.
    scale_range: the smallest and the largest scale.
    max_shear: a share of the distance from the centre.
    max_translation: in pixels, interpolated.
    max_shift: in whole pixels; as in `random_shift`.
    crop_size: the side of a square to cut out, at random in training and from
      the centre at test; 0 for the whole image.
    flip: whether to flip images horizontally with probability 1/2.
    max_brightness: the largest value to add to or subtract from all pixels.
    contrast_range: the smallest and the largest factor for the differences from
      the mean.
    erase_size: the side of a square that is made black; 0 for none.
    standardize: whether to scale each image to mean 0 and standard deviation 1;
      otherwise it is in [0, 1].
  """

  max_rotation: float = 0.0
  scale_range: tuple[float, float] = (1.0, 1.0)
  max_shear: float = 0.0
  max_translation: float = 0.0
  max_shift: int = 0
  crop_size: int = 0
  flip: bool = False
  max_brightness: float = 0.0
  contrast_range: tuple[float, float] = (1.0, 1.0)
  erase_size: int = 0
  standardize: bool = False

  def image_shape(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Returns height, width and channels of prepared images.

    Raises:
      UserError: if `crop_size` or `erase_size` is larger than the images.
    """
    if self.erase_size > min(self.crop_size or shape[0], *shape[:2]):
      raise UserError(
        f'augmentation.erase_size={self.erase_size} is larger than the images; '
        'make it smaller, or 0 to erase nothing'
      )
    if not self.crop_size:
      return shape
    if self.crop_size > min(shape[:2]):
      raise UserError(
        f'images.crop_size={self.crop_size} is larger than the images of '
        f'{shape[0]}x{shape[1]}; make it smaller, or 0 for the whole image'
      )
    return (self.crop_size, self.crop_size, shape[2])

  def for_training(
    self, key: Key[Array, ''], image: UInt8[Array | np.ndarray, 'h w c']
  ) -> Float32[Array, 'new_h new_w c']:
    """Prepares one image with random augmentation.

    Args:
      key: the example's PRNG key.
      image: as stored in the data set.
    """

    def part(number):
      return jax.random.fold_in(key, number)

    prepared = scale_images(image)
    if self._is_affine:
      prepared = random_affine(
        part(1),
        prepared,
        max_rotation=self.max_rotation,
        scale_range=self.scale_range,
        max_shear=self.max_shear,
        max_translation=self.max_translation,
      )
    if self.max_shift:
      # With `key` itself, as in recorded runs; the parts' keys are independent.
      prepared = random_shift(key, prepared, max_shift=self.max_shift)
    if self.crop_size:
      prepared = random_crop(part(2), prepared, size=self.crop_size)
    if self.flip:
      prepared = random_flip(part(3), prepared)
    if self.max_brightness:
      prepared = random_brightness(part(4), prepared, most=self.max_brightness)
    if self.contrast_range != (1.0, 1.0):
      prepared = random_contrast(part(5), prepared, factors=self.contrast_range)
    if self.erase_size:
      prepared = random_erase(part(6), prepared, size=self.erase_size)
    return self._finish(prepared)

  def for_test(
    self,
    image: UInt8[Array | np.ndarray, 'h w c']
    | Float32[Array | np.ndarray, 'h w c'],
  ) -> Float32[Array, 'new_h new_w c']:
    """Prepares one image, always the same way.

    Args:
      image: as a data set has it, or float32 in [0, 1].
    """
    is_scaled = image.dtype == jnp.float32
    prepared = jnp.asarray(image) if is_scaled else scale_images(image)
    if self.crop_size:
      prepared = central_crop(prepared, size=self.crop_size)
    return self._finish(prepared)

  @property
  def _is_affine(self):
    numbers = (self.max_rotation, self.max_shear, self.max_translation)
    return any(numbers) or self.scale_range != (1.0, 1.0)

  def _finish(self, image):
    # The official code does not clip standardised images.
    return standardize(image) if self.standardize else jnp.clip(image, 0, 1)
