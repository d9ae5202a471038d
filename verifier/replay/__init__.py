"""Segments, gradients and merges computed again from hashed bytes."""
