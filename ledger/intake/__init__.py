"""The entrances of the log: signed messages and final blocks."""
