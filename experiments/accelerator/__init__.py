"""Measures and trains capsjax on an accelerator in a given time."""
