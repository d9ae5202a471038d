"""Files on this machine: atomic, synced writes, and blobs that are named by their digest."""
