"""The portable numerics profile: an inner step whose bits depend on IEEE 754 alone, not on kernels or machines."""
