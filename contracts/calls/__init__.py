"""Calls of a model's own contracts as people write and read them."""
