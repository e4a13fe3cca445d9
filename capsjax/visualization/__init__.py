"""Pictures of what a capsule network sees."""

from capsjax.visualization.grid import image_grid

__all__ = ['image_grid']
