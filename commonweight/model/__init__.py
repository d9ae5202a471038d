"""A model and its runs, believed after a check."""
