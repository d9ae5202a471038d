"""The market against stand-in servers of the providers."""
