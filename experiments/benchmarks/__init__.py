"""Speed and memory of capsjax compared with its alternatives."""
