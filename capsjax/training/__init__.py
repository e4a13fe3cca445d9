"""The training room: state, step, devices, checkpoints, writers, loop."""
