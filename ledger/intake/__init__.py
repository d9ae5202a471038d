"""What enters the log: signed messages and final blocks."""
