"""The HTTP server of a mirror."""
