"""What final blocks say, as facts of the machine."""
