"""Segments, gradients and merges, recomputed from hashed bytes."""
