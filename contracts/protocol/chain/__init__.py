"""Final blocks as facts of the machine."""
