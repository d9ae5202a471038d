"""What a mirror serves over HTTP."""
