"""The geometry of a strided, padded convolution."""

import dataclasses

from jax import lax


@dataclasses.dataclass(frozen=True)
class Window:
  """How a kernel slides over an image; every pair is (vertical, horizontal).

  Attributes:
    kernel: the kernel's size.
    strides: the step between neighbouring outputs.
    padding: zeros before and after the image, `((top, bottom), (left, right))`.
    outputs: the number of outputs.
  """

  kernel: tuple[int, int]
  strides: tuple[int, int]
  padding: tuple[tuple[int, int], tuple[int, int]]
  outputs: tuple[int, int]

  @classmethod
  def create(
    cls,
    image: tuple[int, ...],
    kernel: tuple[int, ...],
    strides: tuple[int, ...],
    padding: str,
  ) -> 'Window':
    """Creates the window of `kernel` on `image`, 'VALID' or 'SAME' padded."""
    (kh, kw), (sh, sw) = kernel, strides
    # Some versions of JAX return NumPy integers.
    (top, bottom), (left, right) = (
      (int(before), int(after))
      for before, after in lax.padtype_to_pads(image, kernel, strides, padding)
    )
    outputs = (
      (image[0] + top + bottom - kh) // sh + 1,
      (image[1] + left + right - kw) // sw + 1,
    )
    return cls((kh, kw), (sh, sw), ((top, bottom), (left, right)), outputs)
