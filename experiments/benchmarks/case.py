"""The settings of a training-step benchmark."""

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Case:
  """What is trained, and how many steps are timed.

  Attributes:
    contender: a name in `steps.CONTENDERS`.
    batch: the number of images.
    dtype: 'float32' or 'bfloat16'.
    sizes: network fields that differ from the paper's.
    image_shape: height, width, channels.
    num_classes: the number of classes.
    num_devices: the number of devices.
    repeats: the number of timed steps.
  """

  contender: str
  batch: int
  dtype: str = 'float32'
  sizes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  image_shape: tuple[int, int, int] = (28, 28, 1)
  num_classes: int = 10
  num_devices: int = 1
  repeats: int = 1
