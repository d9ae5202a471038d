"""What mirrors give each other."""
