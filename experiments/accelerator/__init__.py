"""What capsjax does on an accelerator, measured within a number of minutes."""
