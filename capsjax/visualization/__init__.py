"""Pictures of what a capsule network sees."""
