"""A trained run as figures and sections of a report."""

from capsjax.gallery.choice import all_predicted
from capsjax.gallery.comparison import comparison
from capsjax.gallery.description import description

__all__ = ['all_predicted', 'comparison', 'description']
