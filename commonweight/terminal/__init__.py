"""Output, waiting, logs and the end of commands."""
