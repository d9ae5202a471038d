"""The adapters, each against a server that answers as its provider does."""
