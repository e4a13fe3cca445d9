"""A run: its configuration, its folder, and the network that it trained."""

import lazy_loader

# The names are in __init__.pyi. They load lazily, because configurations are
# read before JAX is imported.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
