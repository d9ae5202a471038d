"""A model and its runs, checked before they are used."""
