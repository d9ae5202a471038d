"""A model of one's own: a Python package on this machine whose files have the digest that the run names."""
