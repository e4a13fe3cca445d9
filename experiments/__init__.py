"""Experiments from the paper, and benchmarks of speed and accuracy."""
