"""One proof of the log, replayed and explained by anyone."""
