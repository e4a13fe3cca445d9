"""Capsule networks in JAX: "Dynamic Routing Between Capsules" and beyond."""

from importlib import metadata

import lazy_loader

# The names are in __init__.pyi. Each is imported when it is first asked for,
# so that a word of help does not wait for JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = metadata.version('capsjax')
