"""Whole networks; every size is a field, shapes follow from the image."""

from capsjax.models.baseline import BaselineCNN
from capsjax.models.capsnet import CapsNet
from capsjax.models.outputs import ModelOutput
from capsjax.models.registry import create_model

__all__ = ['BaselineCNN', 'CapsNet', 'ModelOutput', 'create_model']
