"""One module for each duty that the machine awaits of a verifier."""
