"""A run: its configuration, its folder, and the network that it trained."""
