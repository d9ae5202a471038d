"""Entries of the transparency log: facts and derived entries as bytes, and back."""
