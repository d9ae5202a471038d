"""A claimed segment end beside the replayed one."""
