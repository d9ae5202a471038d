"""The database and the blobs: connections, revisions, tables, seals, and who is told of a commit."""
