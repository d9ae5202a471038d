"""The model, its training state and its device."""
