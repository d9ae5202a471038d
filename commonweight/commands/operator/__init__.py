"""Commands of who operates a server."""
