"""The exchange of blobs and messages with the server and the mirrors."""
