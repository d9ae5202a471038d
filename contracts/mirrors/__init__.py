"""Mirrors as their clients see them: where they may be reached, and calls to one that may lie."""
