"""Capsule networks in JAX: "Dynamic Routing Between Capsules" and beyond."""

import lazy_loader

from capsjax.version import VERSION

# __init__.pyi lists the public names. Each is imported on first access, so that
# `--help` does not wait for JAX.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = VERSION
