"""The comparison of a committed segment end with the replayed one."""
