"""Calls of a model's own contracts in words: written by people, and read from bytes."""
