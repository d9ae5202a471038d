"""Files of this machine: written whole or not at all, and blobs named by their digest."""
