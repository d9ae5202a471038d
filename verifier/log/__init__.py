"""The operator's log as anybody reads it: from a server, a mirror or a folder, believing nothing that does not hash."""
