"""The fields of a run's configuration, one by one."""
