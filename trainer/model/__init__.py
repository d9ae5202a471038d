"""The model, its training state, its device and its loss."""
