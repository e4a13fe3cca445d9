"""The paper's network in libraries other than Flax, from `capsjax.ops`."""
