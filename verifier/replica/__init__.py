"""The verifier's copy of the machine, checked against its own chain node."""
