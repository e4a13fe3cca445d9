"""Turns trained runs into figures and report sections."""

from capsjax.gallery.choice import all_predicted
from capsjax.gallery.comparison import compare_runs
from capsjax.gallery.description import describe_run

__all__ = ['all_predicted', 'compare_runs', 'describe_run']
