"""Blobs and messages on their way to and from the server and the mirrors."""
