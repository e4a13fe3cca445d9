"""Complete networks; every size is a field, shapes follow from the image."""

from capsjax.models.baseline import BaselineCNN
from capsjax.models.capsnet import CapsNet
from capsjax.models.efficient_capsnet import EfficientCapsNet
from capsjax.models.initializers import FAN_IN, OFFICIAL, Initializers
from capsjax.models.matrix_capsnet import MatrixCapsNet
from capsjax.models.outputs import ModelOutput
from capsjax.models.registry import create_model

__all__ = [
  'FAN_IN',
  'OFFICIAL',
  'Initializers',
  'BaselineCNN',
  'CapsNet',
  'EfficientCapsNet',
  'MatrixCapsNet',
  'ModelOutput',
  'create_model',
]
