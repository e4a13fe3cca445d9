"""The input of a training or evaluation step."""

from typing import NamedTuple

from jaxtyping import Array, Float


class Objects(NamedTuple):
  """The objects that make up an image, in class order.

  Attributes:
    images: each object alone, at its place in the whole image.
    targets: 1 for the class of the object, else 0.
  """

  images: Float[Array, 'batch num_objects height width channels']
  targets: Float[Array, 'batch num_objects num_classes']


class Batch(NamedTuple):
  """Examples on the device, ready for a model.

  Attributes:
    images: float32, in [0, 1] unless they are standardised.
    targets: 1 for each class that is present, else 0.
    weights: 1 for an example, 0 for padding.
    objects: the objects of images that show several, else None.
  """

  images: Float[Array, 'batch height width channels']
  targets: Float[Array, 'batch num_classes']
  weights: Float[Array, ' batch']
  objects: Objects | None = None
