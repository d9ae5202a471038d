"""The composition root: command line, demo and one-process wiring."""
