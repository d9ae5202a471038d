"""The storage of a mirror: its copy of the log, messages, blobs, addresses, evidence."""
