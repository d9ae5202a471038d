"""What a mirror keeps: its copy of the log, messages, blobs, addresses, evidence."""
