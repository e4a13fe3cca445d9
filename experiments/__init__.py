"""What shows how fast and how good the networks are."""
