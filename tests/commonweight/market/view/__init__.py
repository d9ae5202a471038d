"""The view of all providers."""
