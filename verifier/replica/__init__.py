"""A verifier's own copy of the log, followed with the machine and its own chain."""
