"""Replay jobs as rows, and the worker processes that take them."""
