"""Turns trained runs into figures and report sections."""

from capsjax.gallery.choice import all_predicted
from capsjax.gallery.comparison import comparison
from capsjax.gallery.description import description

__all__ = ['all_predicted', 'comparison', 'description']
